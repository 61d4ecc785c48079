// The list and everything around it.

import * as api from "./api.js";
import { Details } from "./details.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Keys } from "./keys.js";
import { ListStates } from "./states.js";
import { Listing } from "./listing.js";
import { Rates, Totals } from "./totals.js";
import { Selecting } from "./selecting.js";
import { Store } from "./store.js";
import { Table } from "./table.js";
import { Toolbar } from "./toolbar.js";
import { acceptEverywhere } from "./add.js";
import { menuEntries } from "./actions.js";
import { openMenu } from "./menu.js";
import { ratesDialog } from "./settings.js";
import { startTheme } from "./theme.js";
import { afterQuiet, eachFrame, find } from "./dom.js";
import { bytes } from "./format.js";

/** Milliseconds without scrolling after which rows may change places again. */
const STILL = 150;

export class Page {
    store = new Store();
    /** Called by the button that logs out. */
    onlogout = () => {};

    #open = false;
    #timer = 0;
    #scrolling = false;
    #stale = false;
    #update = eachFrame(() => this.#show());

    constructor() {
        this.listing = new Listing(this.store.torrents, Table.rememberedSort());
        this.grid = new Grid(find("list"), {
            label: "Torrents",
            key: (torrent) => torrent.hash,
            rowClass: (torrent) => (torrent.activity === "paused" ? "faint" : ""),
            sort: () => this.listing.sort,
            onsort: (column) => this.table.sortBy(column),
            onwidth: (column, width) => this.table.setWidth(column, width),
            oncolumns: (x, y) => this.table.openColumns(x, y),
            onselect: () => this.#selected(),
            toggles: () => this.selecting.on,
            onclick: (torrent) => this.table.narrow && !this.selecting.on && this.details.open(torrent),
            onopen: (torrent) => this.toggleDetails(torrent),
            onmenu: (x, y) => this.#menu(x, y),
            onkey: (event) => this.keys.use(event),
        });
        this.table = new Table(this);
        this.details = new Details(this, find("details"));
        this.filters = new Filters(this);
        this.toolbar = new Toolbar(this);
        this.selecting = new Selecting(this);
        this.keys = new Keys(this);
        this.states = new ListStates(this, find("list"));
        this.rates = new Rates(find("rates"), () => ratesDialog(this));
        this.totals = new Totals(find("totals"));
        this.toggleTheme = startTheme(() => this.#update());
        this.#listen();
        acceptEverywhere(this);
    }

    #listen() {
        this.store.addEventListener("change", ({ detail }) => this.#take(detail));
        this.store.addEventListener("settings", () => this.#update());
        this.store.addEventListener("connection", () => this.states.show());
        const still = afterQuiet(STILL, () => {
            this.#scrolling = false;
            if (this.#stale) this.refresh();
        });
        this.grid.node.addEventListener(
            "scroll",
            () => {
                this.#scrolling = true;
                still();
            },
            { passive: true },
        );
    }

    /** Shows the list, and follows the daemon. */
    async enter() {
        this.#open = true;
        clearInterval(this.#timer);
        this.states.show();
        await this.store.start();
        if (this.#open) this.#timer = this.totals.follow();
    }

    /** Forgets everything that the login showed. */
    leave() {
        this.#open = false;
        clearInterval(this.#timer);
        for (const dialog of document.querySelectorAll("dialog")) dialog.close();
        this.details.close();
        this.store.clear();
    }

    isOpen() {
        return this.#open && document.querySelector("dialog[open]") === null;
    }

    #take(detail) {
        this.listing.note(detail);
        if (detail.removed.length > 0) {
            this.grid.selection.retain((hash) => this.store.torrents.has(hash));
            this.#selected();
            if (this.details.torrent && !this.store.torrents.has(this.details.torrent.hash)) this.details.close();
        }
        this.#stale = true;
        this.#update();
    }

    /** Narrows and sorts anew, and shows it. */
    refresh() {
        this.#stale = true;
        this.#scrolling = false;
        this.#update();
    }

    /** Rows keep their places while somebody scrolls: the numbers in them do not. */
    #show() {
        if (this.#stale && !this.#scrolling) {
            this.#stale = false;
            this.grid.setItems(this.listing.derive());
            this.filters.show();
        }
        this.grid.repaint();
        this.rates.show(this.store);
        this.toolbar.showRates();
        this.details.show();
        this.states.show();
        this.#showTotals();
    }

    #showTotals() {
        const { keys } = this.grid.selection;
        let size = 0;
        for (const hash of keys) size += this.store.torrents.get(hash)?.size ?? 0;
        const selected = keys.size > 1 ? `${keys.size}, ${bytes(size)}` : "";
        const { totals, torrents } = this.store;
        this.totals.show({ totals, all: torrents.size, shown: this.listing.order.length, selected });
    }

    /** On a telephone a long press selects. */
    #menu(x, y) {
        if (this.table.narrow && !this.selecting.on) this.selecting.start();
        else openMenu(x, y, menuEntries(this), this.grid.node);
    }

    #selected() {
        this.toolbar.show();
        this.selecting.show();
        this.#showTotals();
        const torrent = this.store.torrents.get(this.grid.selection.focus);
        if (torrent && this.details.torrent && this.grid.selection.has(torrent.hash)) this.details.open(torrent);
    }

    /** Selected torrents, as they stand in the list. */
    selected() {
        return [...this.grid.selection.keys].map((hash) => this.store.torrents.get(hash)).filter(Boolean);
    }

    toggleDetails(torrent = this.store.torrents.get(this.grid.selection.focus)) {
        if (!torrent) return;
        if (this.details.torrent === torrent) this.details.close();
        else this.details.open(torrent);
    }

    detailsClosed() {
        this.grid.node.focus();
    }

    /** Changes torrents as the daemon is told. */
    async change(torrents, what) {
        await api.change(
            torrents.map((torrent) => torrent.hash),
            what,
        );
    }

    /** Makes a category that is not there yet. */
    async knowCategory(name) {
        const categories = this.store.settings?.categories ?? {};
        if (name === "" || name in categories) return;
        await this.store.change({ categories: { [name]: {} } });
    }

    /** Where content of a category goes; of none, what holds for all. */
    folderOf(category) {
        const { download_folder: downloads = "", categories = {} } = this.store.settings ?? {};
        if (category === "") return downloads;
        return categories[category]?.folder ?? `${downloads}/${category}`;
    }

    /** Folders that were chosen before. */
    folders() {
        const known = new Set([this.store.settings?.download_folder ?? ""]);
        for (const torrent of this.store.torrents.values()) known.add(torrent.folder);
        return [...known].filter(Boolean).sort();
    }

    categories() {
        return Object.keys(this.store.settings?.categories ?? {}).sort();
    }

    tags() {
        const known = new Set(this.store.settings?.tags ?? []);
        for (const torrent of this.store.torrents.values()) for (const tag of torrent.tags) known.add(tag);
        return [...known].sort();
    }
}
