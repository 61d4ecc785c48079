// The panel about one torrent: tabs, of which the one in sight asks the daemon now and then.

import { perform, action, barActions, menuEntries } from "./actions.js";
import { FilesTab } from "./files_tab.js";
import { OverviewTab } from "./overview_tab.js";
import { PeersTab } from "./peers_tab.js";
import { PiecesTab, RatesTab } from "./chart_tabs.js";
import { TrackersTab } from "./trackers_tab.js";
import { button, element, remember, remembered, setText } from "./dom.js";
import { openUnder } from "./menu.js";

/** Milliseconds between questions. */
const EVERY = 2_000;
/** Pixels that the panel has at least, and leaves to the list. */
const LOWEST = 140;

/** Tabs: a class each, with `node`, perhaps `ask(torrent)` (promise), and `show(torrent)`. */
const TABS = [
    ["overview", "Overview", OverviewTab],
    ["files", "Files", FilesTab],
    ["peers", "Peers", PeersTab],
    ["trackers", "Trackers", TrackersTab],
    ["pieces", "Pieces", PiecesTab],
    ["rates", "Rates", RatesTab],
];

export class Details {
    /** The torrent that is shown; null while the panel is closed. */
    torrent = null;

    #page;
    #host;
    #tabs = new Map();
    #chosen;
    #timer = 0;
    #title = element("h2", { class: "ellipsis" });
    #problem = element("p", { class: "problem", role: "status", hidden: true });

    constructor(page, host) {
        this.#page = page;
        this.#host = host;
        const strip = element("div", {
            role: "tablist",
            class: "tabs",
            "aria-label": "Details",
            onkeydown: (event) => this.#arrow(event),
        });
        const panels = element("div", { class: "panels" });
        for (const [id, label, Tab] of TABS) this.#makeTab(strip, panels, id, label, Tab);
        host.append(this.#edge(), this.#head(strip), this.#problem, panels);
        host.style.setProperty("--details-height", `${remembered("details", 300)}px`);
        host.addEventListener("keydown", (event) => {
            if (event.key !== "Escape") return;
            // the list's own use of the key would be to select nothing
            event.preventDefault();
            this.close();
        });
        this.#choose(remembered("tab", "overview"));
    }

    #makeTab(strip, panels, id, label, Tab) {
        const tab = new Tab(this.#page);
        const head = element(
            "button",
            { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`, onclick: () => this.#choose(id) },
            label,
        );
        const panel = element(
            "div",
            { role: "tabpanel", id: `panel-${id}`, class: "panel", "aria-labelledby": `tab-${id}` },
            tab.node,
        );
        strip.append(head);
        panels.append(panel);
        this.#tabs.set(id, { tab, head, panel });
    }

    #head(strip) {
        const act = (known) =>
            button({
                ...known,
                label: known.label.replace("…", ""),
                iconOnly: true,
                onclick: () => perform(this.#page, action(known.id)),
            });
        const more = button({
            label: "More",
            icon: "more",
            iconOnly: true,
            "aria-haspopup": "menu",
            onclick: (event) => openUnder(event.currentTarget, menuEntries(this.#page)),
        });
        const buttons = barActions.map(({ id, label, icon }) => act({ id, label, icon }));
        const actions = element(
            "div",
            { class: "details-actions phone-only", role: "toolbar", "aria-label": "This torrent" },
            ...buttons,
            more,
        );
        const close = button({ label: "Close details", icon: "close", iconOnly: true, onclick: () => this.close() });
        return element("div", { class: "details-head" }, this.#title, actions, close, strip);
    }

    /** The upper edge, which is dragged. */
    #edge() {
        const edge = element("div", {
            class: "details-edge",
            role: "separator",
            "aria-orientation": "horizontal",
            "aria-label": "Height of details",
            tabindex: "0",
        });
        const set = (height) => {
            const most = innerHeight - 260;
            const rounded = Math.round(Math.max(LOWEST, Math.min(height, most)));
            this.#host.style.setProperty("--details-height", `${rounded}px`);
            remember("details", rounded);
        };
        edge.addEventListener("pointerdown", (event) => {
            event.preventDefault();
            edge.setPointerCapture(event.pointerId);
            edge.onpointermove = (moved) => set(this.#host.getBoundingClientRect().bottom - moved.clientY);
        });
        edge.addEventListener("lostpointercapture", () => (edge.onpointermove = null));
        edge.addEventListener("keydown", (event) => {
            const by = { ArrowUp: 24, ArrowDown: -24 }[event.key];
            if (by) set(this.#host.offsetHeight + by);
        });
        return edge;
    }

    #arrow(event) {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!by) return;
        const ids = [...this.#tabs.keys()];
        const next = ids[(ids.indexOf(this.#chosen) + by + ids.length) % ids.length];
        this.#choose(next);
        this.#tabs.get(next).head.focus();
    }

    #choose(id) {
        this.#chosen = this.#tabs.has(id) ? id : "overview";
        remember("tab", this.#chosen);
        for (const [name, { head, panel }] of this.#tabs) {
            const chosen = name === this.#chosen;
            head.setAttribute("aria-selected", chosen);
            head.tabIndex = chosen ? 0 : -1;
            panel.hidden = !chosen;
        }
        if (this.torrent) this.#begin();
    }

    /** Shows `torrent`, and follows it. */
    open(torrent) {
        const another = this.torrent !== torrent;
        this.torrent = torrent;
        this.#host.hidden = false;
        this.#showTitle();
        if (another) this.#begin();
    }

    close() {
        if (!this.torrent) return;
        this.torrent = null;
        clearTimeout(this.#timer);
        this.#host.hidden = true;
        this.#page.detailsClosed();
    }

    #begin() {
        clearTimeout(this.#timer);
        this.#problem.hidden = true;
        this.#tab.begin?.();
        this.show();
        void this.refresh();
    }

    get #tab() {
        return this.#tabs.get(this.#chosen).tab;
    }

    /** Shows what the list knows of it. */
    show() {
        if (!this.torrent) return;
        this.#showTitle();
        this.#tab.show(this.torrent);
    }

    #showTitle() {
        setText(this.#title, this.torrent.name);
        this.#title.title = this.torrent.name;
    }

    /** Asks the daemon now, and again later. */
    async refresh() {
        clearTimeout(this.#timer);
        const { torrent } = this;
        const tab = this.#tab;
        if (!torrent || !tab.ask) return;
        try {
            const answer = document.hidden ? null : await tab.ask(torrent);
            if (this.torrent !== torrent || this.#tab !== tab) return;
            this.#problem.hidden = true;
            if (answer) {
                tab.take(answer);
                tab.show(torrent);
            }
        } catch (error) {
            if (this.torrent !== torrent) return;
            setText(this.#problem, error.message);
            this.#problem.hidden = false;
        }
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.refresh(), EVERY);
    }
}
