// Which torrents the list shows, and in which order.

import { STATES } from "./status.js";

/** More new names than this, and everything is sorted anew. */
const FEW = 64;

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const byName = (a, b) => collator.compare(a.name, b.name) || (a.hash < b.hash ? -1 : 1);

/** No narrowing. */
export const EVERYTHING = Object.freeze({ state: "all", category: null, tag: null, tracker: null, text: "" });

/** Letters alone: without case and accents. */
function plain(text) {
    return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Host of a tracker's URL; empty for none. */
export function trackerHost(url) {
    let host = hosts.get(url);
    if (host === undefined) {
        host = URL.canParse(url ?? "") ? new URL(url).hostname : "";
        hosts.set(url, host);
    }
    return host;
}
const hosts = new Map();

/** A narrowed and sorted view of all torrents. */
export class Listing {
    filter = { ...EVERYTHING };
    /** A column and a direction. */
    sort;
    /** What is shown, in order. */
    order = [];

    #torrents;
    #names = [];
    /** By torrent: its place by name, and its name as it is searched. Numbers compare faster than words. */
    #rank = new Map();
    #plain = new Map();

    constructor(torrents, sort) {
        this.#torrents = torrents;
        this.sort = sort;
    }

    /** Takes note of names that are new or gone. */
    note({ fresh, removed }) {
        if (fresh.length === 0 && removed.length === 0) return;
        const gone = new Set(fresh);
        this.#names = this.#names.filter((torrent) => !gone.has(torrent) && this.#torrents.get(torrent.hash) === torrent);
        if (fresh.length > FEW) this.#names = this.#names.concat(fresh).sort(byName);
        else for (const torrent of fresh) this.#names.splice(this.#placeOf(torrent), 0, torrent);
        this.#rank = new Map(this.#names.map((torrent, place) => [torrent, place]));
        for (const torrent of fresh) this.#plain.set(torrent.hash, plain(torrent.name));
        for (const hash of removed) this.#plain.delete(hash);
    }

    #placeOf(torrent) {
        let [from, to] = [0, this.#names.length];
        while (from < to) {
            const middle = (from + to) >> 1;
            if (byName(this.#names[middle], torrent) < 0) from = middle + 1;
            else to = middle;
        }
        return from;
    }

    /** Narrows and sorts anew. The last order is nearly right, which makes sorting cheap. */
    derive() {
        const shown = this.#holds();
        const before = new Set(this.order);
        const kept = this.order.filter((torrent) => this.#torrents.get(torrent.hash) === torrent && shown(torrent));
        for (const torrent of this.#torrents.values()) if (!before.has(torrent) && shown(torrent)) kept.push(torrent);
        this.order = kept.sort(this.#comparison());
        return this.order;
    }

    #comparison() {
        const rank = this.#rank;
        const sign = this.sort.descending ? -1 : 1;
        const { value } = this.sort.column;
        if (!value) return (a, b) => sign * (rank.get(a) - rank.get(b));
        return (a, b) => {
            const [left, right] = [value(a), value(b)];
            if (left < right) return -sign;
            if (left > right) return sign;
            return rank.get(a) - rank.get(b);
        };
    }

    #holds() {
        const { state, category, tag, tracker, text } = this.filter;
        const inState = STATES.find((known) => known.id === state)?.holds ?? (() => true);
        const words = plain(text).split(/\s+/).filter(Boolean);
        return (torrent) =>
            inState(torrent) &&
            (category === null || torrent.category === category) &&
            (tag === null || (tag === "" ? torrent.tags.length === 0 : torrent.tags.includes(tag))) &&
            (tracker === null || trackerHost(torrent.tracker) === tracker) &&
            words.every((word) => this.#plain.get(torrent.hash).includes(word) || torrent.hash.startsWith(word));
    }

    /** How many torrents each choice of the filter would show, were it the only one. */
    counts() {
        const counts = { state: new Map(), category: new Map(), tag: new Map(), tracker: new Map() };
        const one = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);
        for (const torrent of this.#torrents.values()) {
            for (const { id, holds } of STATES) if (holds(torrent)) one(counts.state, id);
            one(counts.category, torrent.category);
            for (const tag of torrent.tags) one(counts.tag, tag);
            if (torrent.tags.length === 0) one(counts.tag, "");
            one(counts.tracker, trackerHost(torrent.tracker));
        }
        return counts;
    }

    /** Something is narrowed. */
    isNarrowed() {
        return Object.entries(EVERYTHING).some(([name, value]) => this.filter[name] !== value);
    }
}
