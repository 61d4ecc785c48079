// Rates of the last minutes: of everything, and of torrents that are or were moving.

/** Seconds that are kept. */
export const SECONDS = 600;
/** Torrents whose rates are kept; those that moved last stay. */
const TORRENTS = 200;

/** Rates of one thing, a value a second, the latest last. */
export class Rates {
    up = new Float64Array(SECONDS);
    down = new Float64Array(SECONDS);
    #next = 0;
    length = 0;

    push(up, down) {
        this.up[this.#next] = up;
        this.down[this.#next] = down;
        this.#next = (this.#next + 1) % SECONDS;
        this.length = Math.min(this.length + 1, SECONDS);
    }

    /** Where the value of `ago` seconds ago is, in `up` and `down`. */
    at(ago) {
        return (this.#next - 1 - ago + 2 * SECONDS) % SECONDS;
    }
}

export class History {
    all = new Rates();
    #torrents = new Map();
    #sampledAt = 0;

    /** Takes what holds now, once a second. A silent stream means that nothing changed since. */
    sample(totals, torrents) {
        const now = Math.floor(performance.now() / 1000);
        const seconds = this.#sampledAt === 0 ? 1 : Math.min(now - this.#sampledAt, SECONDS);
        if (seconds <= 0) return;
        this.#sampledAt = now;
        for (const torrent of torrents.values()) {
            if (torrent.upload_rate > 0 || torrent.download_rate > 0) this.of(torrent.hash);
        }
        for (const [hash, rates] of this.#torrents) {
            const torrent = torrents.get(hash);
            if (torrent) fill(rates, seconds, torrent);
            else this.#torrents.delete(hash);
        }
        fill(this.all, seconds, totals);
    }

    /** Rates of a torrent, from now on if they were not kept. */
    of(hash) {
        const rates = this.#torrents.get(hash) ?? new Rates();
        // a map lists in the order of insertion: the first is the one that was longest without need
        this.#torrents.delete(hash);
        this.#torrents.set(hash, rates);
        if (this.#torrents.size > TORRENTS) this.#torrents.delete(this.#torrents.keys().next().value);
        return rates;
    }
}

function fill(rates, seconds, { upload_rate: up = 0, download_rate: down = 0 }) {
    for (let second = 0; second < seconds; second += 1) rates.push(up, down);
}
