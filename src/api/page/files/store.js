// Everything that the page knows of the daemon, kept up to date by its stream of changes.

import * as api from "./api.js";
import { History } from "./history.js";

/** Milliseconds until the first new attempt after a lost connection, and at most. */
const RETRY_FIRST = 1_000;
const RETRY_MOST = 15_000;

/**
 * Torrents by hash, totals, settings. Events: "change" with what changed, "connection", "settings".
 *
 * A torrent stays the same object as long as it is there: a change is written into it.
 */
export class Store extends EventTarget {
    torrents = new Map();
    totals = {};
    settings = null;
    history = new History();
    /** "loading", "live", "lost" or "failed". */
    connection = "loading";
    /** Why, when it failed; and when the next attempt is made, when it is lost. */
    problem = "";
    retryAt = 0;

    #revision = 0;
    #stream = null;
    #timer = 0;
    #wait = RETRY_FIRST;

    /** Loads everything, and follows from there. */
    async start() {
        this.stop();
        if (this.torrents.size === 0) this.#say("loading");
        try {
            const [everything, settings] = await Promise.all([api.torrents(), api.get("settings")]);
            this.#settings(settings);
            this.#take({ ...everything, full: true, changed: everything.torrents });
            this.#follow();
        } catch (error) {
            if (error.status === 401) return;
            if (this.torrents.size === 0 && error.status !== 0) {
                this.problem = error.message;
                this.#say("failed");
            } else {
                this.#retry();
            }
        }
    }

    /** Follows no more. */
    stop() {
        clearTimeout(this.#timer);
        this.#stream?.close();
        this.#stream = null;
    }

    /** Forgets everything, as after a logout. */
    clear() {
        this.stop();
        this.#take({ full: true, changed: [], totals: {}, revision: 0 });
        this.history = new History();
    }

    /** Changes settings, and keeps what the daemon made of it. */
    async change(settings) {
        const answer = await api.call("PATCH", "settings", settings);
        this.#settings(answer ?? (await api.get("settings")));
    }

    async refreshSettings() {
        this.#settings(await api.get("settings"));
    }

    #follow() {
        const stream = api.changes(this.#revision);
        this.#stream = stream;
        stream.addEventListener("change", (event) => {
            this.#alive();
            this.#take(JSON.parse(event.data));
        });
        stream.addEventListener("open", () => this.#alive());
        stream.addEventListener("error", () => {
            // the browser's own attempts would begin at the revision of the first one
            this.stop();
            this.#retry();
        });
    }

    #alive() {
        this.#wait = RETRY_FIRST;
        if (this.connection !== "live") this.#say("live");
    }

    #retry() {
        this.retryAt = Date.now() + this.#wait;
        this.#timer = setTimeout(() => this.start(), this.#wait);
        this.#wait = Math.min(this.#wait * 2, RETRY_MOST);
        this.#say("lost");
    }

    #settings(settings) {
        this.settings = settings;
        this.dispatchEvent(new Event("settings"));
    }

    #say(connection) {
        this.connection = connection;
        this.dispatchEvent(new Event("connection"));
    }

    #take(update) {
        const fresh = [];
        const removed = update.full ? this.#absentFrom(update.changed) : (update.removed ?? []);
        for (const hash of removed) this.torrents.delete(hash);
        for (const row of update.changed ?? []) {
            const known = this.torrents.get(row.hash);
            const renamed = known !== undefined && row.name !== undefined && known.name !== row.name;
            const torrent = known === undefined ? row : Object.assign(known, row);
            if (known === undefined) this.torrents.set(row.hash, torrent);
            if (known === undefined || renamed) fresh.push(torrent);
        }
        this.#revision = update.revision ?? this.#revision;
        if (update.totals) this.totals = update.totals;
        this.history.sample(this.totals, this.torrents);
        this.dispatchEvent(new CustomEvent("change", { detail: { fresh, removed, changed: update.changed ?? [] } }));
    }

    #absentFrom(rows) {
        const kept = new Set(rows.map((row) => row.hash));
        return [...this.torrents.keys()].filter((hash) => !kept.has(hash));
    }
}
