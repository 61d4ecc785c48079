// What stands in place of rows when there are none; the banners of a lost connection and of what the owner has to mend.

import { action, perform } from "./actions.js";
import { button, element, find, icon, setText } from "./dom.js";

/** Rows that hint at a list while it is loaded. */
const SHADOWS = 12;

export class ListStates {
    #page;
    #node = element("div", { class: "list-state" });
    #shown = "";
    #trouble = find("trouble");
    #troubleText = element("span");
    #banner = find("lost");
    #bannerText = element("span");
    #timer = 0;

    constructor(page, host) {
        this.#page = page;
        host.append(this.#node);
        const retry = button({ label: "Try now", kind: "secondary small", onclick: () => page.store.start() });
        this.#trouble.append(icon("warning"), this.#troubleText);
        this.#banner.append(icon("warning"), this.#bannerText, retry);
    }

    show() {
        const { store } = this.#page;
        const lost = store.connection === "lost";
        this.#banner.hidden = !lost;
        const { trouble } = store.totals;
        this.#trouble.hidden = !trouble;
        if (trouble) setText(this.#troubleText, trouble);
        document.body.classList.toggle("stale", lost);
        clearInterval(this.#timer);
        if (lost) {
            this.#countDown();
            this.#timer = setInterval(() => this.#countDown(), 1_000);
        }
        const state = this.#state();
        if (state === this.#shown) return;
        this.#shown = state;
        this.#node.hidden = state === "";
        this.#node.replaceChildren(...this.#nodes(state));
    }

    #countDown() {
        const seconds = Math.max(0, Math.ceil((this.#page.store.retryAt - Date.now()) / 1_000));
        this.#bannerText.textContent =
            seconds > 0 ? `The daemon does not answer. Next try in ${seconds} s.` : "The daemon does not answer. Trying…";
    }

    #state() {
        const { store, listing } = this.#page;
        if (store.connection === "loading") return "loading";
        if (store.connection === "failed") return "failed";
        if (store.torrents.size === 0) return store.connection === "lost" ? "loading" : "empty";
        return listing.order.length === 0 && listing.isNarrowed() ? "none" : "";
    }

    #nodes(state) {
        switch (state) {
            case "loading":
                return [
                    element(
                        "div",
                        { class: "shadows", role: "status", "aria-label": "Loading" },
                        ...Array.from({ length: SHADOWS }, () => element("div", { class: "shadow" })),
                    ),
                ];
            case "empty":
                return [
                    card(
                        "sower",
                        "Nothing to seed yet",
                        "Drop torrent files or magnet links anywhere on this page, or paste them.",
                        button({
                            label: "Add torrents",
                            icon: "add",
                            kind: "primary",
                            onclick: () => perform(this.#page, action("add")),
                        }),
                    ),
                ];
            case "none":
                return [
                    card(
                        "search",
                        "No torrent fits",
                        "None is of this state, category, tag, tracker and name.",
                        button({ label: "Show all", kind: "secondary", onclick: () => this.#page.filters.clear() }),
                    ),
                ];
            case "failed":
                return [
                    card(
                        "failed",
                        "The list cannot be shown",
                        this.#page.store.problem,
                        button({ label: "Try again", kind: "secondary", onclick: () => this.#page.store.start() }),
                    ),
                ];
            default:
                return [];
        }
    }
}

function card(picture, title, words, act) {
    return element(
        "div",
        { class: "state-card" },
        icon(picture, "icon large"),
        element("h2", {}, title),
        element("p", {}, words),
        act,
    );
}
