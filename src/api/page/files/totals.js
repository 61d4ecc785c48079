// Rates in the head of the page, totals at its foot.

import * as api from "./api.js";
import { drawRates } from "./chart.js";
import { element, icon, setText } from "./dom.js";
import { bytes, duration, ratio, rateOrZero, whole } from "./format.js";

/** Seconds that the small chart shows. */
const SHOWN = 120;
/** Milliseconds between questions about memory. */
const ENGINE_EVERY = 5_000;

/** Both rates and their chart. A click asks for their limits. */
export class Rates {
    #down = element("span", { class: "number" });
    #up = element("span", { class: "number" });
    #canvas = element("canvas", { class: "spark", "aria-hidden": "true" });

    constructor(host, onclick) {
        const limits = element(
            "button",
            { type: "button", class: "plain rates-button", title: "Rates of all torrents: click for limits", onclick },
            this.#canvas,
            element("span", { class: "rate down" }, icon("down"), element("span", { class: "unseen" }, "Down "), this.#down),
            element("span", { class: "rate up" }, icon("up"), element("span", { class: "unseen" }, "Up "), this.#up),
        );
        host.append(limits);
    }

    show(store) {
        setText(this.#down, rateOrZero(store.totals.download_rate));
        setText(this.#up, rateOrZero(store.totals.upload_rate));
        drawRates(this.#canvas, store.history.all, SHOWN);
        document.title = store.totals.upload_rate > 0 ? `↑ ${rateOrZero(store.totals.upload_rate)} · sower` : "sower";
    }
}

/** Numbers of the foot: what is shown, and where it comes from. */
const NUMBERS = [
    { label: "Shown", title: "Torrents in the list, of all", value: ({ shown, all }) => (shown === all ? whole(all) : `${whole(shown)} of ${whole(all)}`) },
    { label: "Selected", title: "Selected torrents and their size", value: ({ selected }) => selected },
    { label: "Sent", title: "Sent since the start, and ever", value: ({ totals }) => `${bytes(totals.session_uploaded)} / ${bytes(totals.uploaded)}` },
    { label: "Received", title: "Received since the start, and ever", value: ({ totals }) => `${bytes(totals.session_downloaded)} / ${bytes(totals.downloaded)}` },
    { label: "Ratio", title: "Sent for each byte received, ever", value: ({ totals }) => ratio(totals.downloaded > 0 ? totals.uploaded / totals.downloaded : null) },
    { label: "Peers", title: "Connections", value: ({ totals }) => whole(totals.connections) },
    { label: "Free", title: "Free in the download folder", value: ({ totals }) => bytes(totals.free) },
    { label: "Memory", title: "The daemon's own memory. Mapped files are the page cache: given back whenever it is needed.", value: ({ engine }) => engine && `${bytes(engine.private)} + ${bytes(engine.mapped)} mapped` },
    { label: "Up", title: "Since the daemon started", value: ({ totals }) => duration(totals.session_seconds) },
    { label: "Port", title: "Port for peers", value: ({ totals }) => (totals.port ? String(totals.port) : "") },
];

export class Totals {
    #entries;
    #engine = null;

    constructor(host) {
        this.#entries = NUMBERS.map(({ label, title, value }) => {
            const number = element("span", { class: "number" });
            const node = element("div", { title, class: "total" }, element("span", { class: "quiet" }, label), number);
            return { node, number, value };
        });
        host.append(...this.#entries.map(({ node }) => node));
    }

    show(numbers) {
        for (const { node, number, value } of this.#entries) {
            const words = value({ ...numbers, engine: this.#engine });
            node.hidden = !words;
            if (words) setText(number, words);
        }
    }

    /** Asks for memory now and then, while somebody looks. */
    follow() {
        const ask = async () => {
            if (!document.hidden) this.#engine = memoryOf(await api.get("engine").catch(() => null));
        };
        void ask();
        return setInterval(ask, ENGINE_EVERY);
    }
}

function memoryOf(engine) {
    return engine?.memory_private ? { private: engine.memory_private, mapped: engine.memory_mapped ?? 0 } : null;
}
