// Columns of the list: which, how wide, by which it is sorted; cards in a narrow window.

import { CARD, COLUMNS, FIRST_COLUMNS } from "./columns.js";
import { openMenu, openUnder } from "./menu.js";
import { narrow, remember, remembered } from "./dom.js";

const ROW = 34;
const CARD_ROW = 88;

export class Table {
    #page;
    #shown = remembered("columns", FIRST_COLUMNS);
    #widths = remembered("widths", {});
    #columns = COLUMNS.map((column) => ({ ...column, width: this.#widths[column.id] ?? column.width }));

    constructor(page) {
        this.#page = page;
        narrow.addEventListener("change", () => this.set());
        this.set();
    }

    /** What the list is sorted by, as it was left. */
    static rememberedSort() {
        const { id, descending } = remembered("sort", { id: "added", descending: true });
        return { column: COLUMNS.find((column) => column.id === id) ?? COLUMNS[1], descending };
    }

    /** Cards are shown. */
    get narrow() {
        return narrow.matches;
    }

    set() {
        const shown = this.#columns.filter((column) => this.#shown.includes(column.id));
        if (this.narrow) this.#page.grid.setColumns([CARD], CARD_ROW, { header: false });
        else this.#page.grid.setColumns(shown, ROW);
    }

    setWidth(column, width) {
        column.width = width;
        this.#widths[column.id] = width;
        remember("widths", this.#widths);
        this.#page.grid.setWidths();
    }

    /** By this column; the other way round if it is sorted by it. */
    sortBy(column) {
        const { sort } = this.#page.listing;
        const descending = sort.column.id === column.id ? !sort.descending : Boolean(column.first);
        this.#page.listing.sort = { column, descending };
        remember("sort", { id: column.id, descending });
        this.#page.grid.showSort();
        this.#page.refresh();
    }

    #columnEntries() {
        const first = { label: "As at first", run: () => this.#reset() };
        const entries = this.#columns.map((column) => ({
            label: column.title === "#" ? "Queue" : column.title,
            checked: this.#shown.includes(column.id),
            disabled: column.id === "name",
            run: () => this.#toggle(column.id),
        }));
        return [...entries, null, first];
    }

    openColumns(x, y) {
        openMenu(x, y, this.#columnEntries(), this.#page.grid.node);
    }

    /** Sorting, for windows without heads of columns; else columns. */
    openUnder(node) {
        openUnder(node, this.narrow ? this.#sortEntries() : this.#columnEntries());
    }

    #sortEntries() {
        const { sort } = this.#page.listing;
        return this.#columns.map((column) => ({
            label: `By ${column.title === "#" ? "queue" : column.title.toLowerCase()}`,
            checked: column.id === sort.column.id,
            run: () => this.sortBy(column),
        }));
    }

    #toggle(id) {
        this.#shown = this.#shown.includes(id) ? this.#shown.filter((shown) => shown !== id) : [...this.#shown, id];
        remember("columns", this.#shown);
        this.set();
    }

    #reset() {
        this.#shown = FIRST_COLUMNS;
        this.#widths = {};
        this.#columns = COLUMNS.map((column) => ({ ...column }));
        remember("columns", this.#shown);
        remember("widths", this.#widths);
        this.set();
    }
}
