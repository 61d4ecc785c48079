// Trackers of a torrent.

import * as api from "./api.js";
import * as change from "./changes.js";
import { ask, field, text } from "./dialog.js";
import { button, element, icon } from "./dom.js";
import { duration, whole } from "./format.js";
import { complain, tell } from "./toasts.js";

export class TrackersTab {
    #page;
    #torrent = null;
    #shown = "";

    constructor(page) {
        this.#page = page;
        this.rows = element("tbody");
        const head = ["Tier", "Tracker", "State", "Seeds", "Others", "Next", ""].map((title) =>
            element("th", { scope: "col" }, title),
        );
        const bar = element(
            "div",
            { class: "panel-bar", role: "toolbar", "aria-label": "Trackers" },
            button({ label: "Add…", icon: "add", kind: "secondary small", onclick: () => this.#add() }),
            button({
                label: "Announce now",
                icon: "announce",
                kind: "secondary small",
                onclick: () => this.#order(change.reannounce, "Announced"),
            }),
        );
        this.empty = element("p", { class: "empty-line" }, "No tracker.");
        const table = element("table", { class: "trackers" }, element("thead", {}, element("tr", {}, ...head)), this.rows);
        this.node = element("div", { class: "stack" }, bar, element("div", { class: "panel-scroll" }, table, this.empty));
    }

    begin() {
        this.#shown = "";
        this.rows.replaceChildren();
        this.empty.hidden = true;
    }

    ask(torrent) {
        return api.details(torrent.hash, "trackers");
    }

    take(answer) {
        const trackers = answer.map(summary);
        this.empty.hidden = trackers.length > 0;
        const shown = JSON.stringify(trackers);
        // what is the same stays, and with it the keyboard's place
        if (shown === this.#shown) return;
        const focused = [...this.rows.querySelectorAll("button")].indexOf(document.activeElement);
        this.#shown = shown;
        this.rows.replaceChildren(...trackers.map((tracker) => this.#row(tracker)));
        if (focused >= 0) this.rows.querySelectorAll("button")[focused]?.focus();
    }

    show(torrent) {
        this.#torrent = torrent;
    }

    #row(tracker) {
        const { label, picture, tone } = state(tracker);
        const edit = button({ label: "Edit", icon: "rename", iconOnly: true, onclick: () => this.#edit(tracker) });
        const drop = button({
            label: "Remove",
            icon: "remove",
            iconOnly: true,
            onclick: () => this.#order(change.removeTrackers([tracker.url]), "Removed"),
        });
        return element(
            "tr",
            {},
            element("td", {}, String(tracker.tier + 1)),
            element("td", { class: "mono wrap" }, tracker.url),
            element("td", {}, element("span", { class: `status ${tone}` }, icon(picture), label)),
            element("td", { class: "end" }, whole(tracker.seeders)),
            element("td", { class: "end" }, whole(tracker.leechers)),
            element("td", { class: "end" }, duration(tracker.next)),
            element("td", { class: "end" }, edit, drop),
        );
    }

    async #order(what, done) {
        try {
            await this.#page.change([this.#torrent], what);
            tell(done);
            await this.#page.details.refresh();
        } catch (error) {
            complain(error);
        }
    }

    #add() {
        const area = element("textarea", {
            name: "urls",
            rows: "4",
            required: true,
            spellcheck: "false",
            placeholder: "https://tracker.example/announce",
        });
        void ask({
            title: "Add trackers",
            body: [field("Addresses", area, "One a line.")],
            submit: "Add",
            onsubmit: async () => {
                const urls = area.value
                    .split("\n")
                    .map((line) => line.trim())
                    .filter(Boolean);
                await this.#page.change([this.#torrent], change.addTrackers(urls));
                await this.#page.details.refresh();
            },
        });
    }

    #edit(tracker) {
        void ask({
            title: "Edit tracker",
            body: [field("Address", text("url", tracker.url, { required: true }))],
            submit: "Set",
            onsubmit: async ({ elements }) => {
                await this.#page.change([this.#torrent], change.replaceTracker(tracker.url, elements.url.value.trim()));
                await this.#page.details.refresh();
            },
        });
    }
}

/** A tracker over both families of addresses in one. */
function summary({ url, tier, works, endpoints }) {
    const most = (numbers) => numbers.filter((number) => number !== null).reduce((a, b) => Math.max(a, b), -1);
    const known = (number) => (number < 0 ? null : number);
    const next = endpoints.map((endpoint) => endpoint.next_seconds).filter((seconds) => seconds !== null);
    return {
        url,
        tier,
        works,
        announcing: endpoints.some((endpoint) => endpoint.announcing),
        error: works ? null : (endpoints.find((endpoint) => endpoint.error)?.error ?? null),
        warning: endpoints.find((endpoint) => endpoint.warning)?.warning ?? null,
        seeders: known(most(endpoints.map((endpoint) => endpoint.seeders))),
        leechers: known(most(endpoints.map((endpoint) => endpoint.leechers))),
        next: next.length > 0 ? Math.min(...next) : null,
    };
}

/** How a tracker does, in a word; what it said when it failed. */
function state(tracker) {
    if (tracker.announcing) return { label: "Announcing", picture: "announce", tone: "busy" };
    if (tracker.error) return { label: tracker.error, picture: "warning", tone: "bad" };
    if (tracker.works) return { label: tracker.warning ? `Works: ${tracker.warning}` : "Works", picture: "check", tone: "up" };
    return { label: "Not asked yet", picture: "queued", tone: "quiet" };
}
