// A table of any length: only the rows in sight are in the document.
//
// Every row has the same height and is put in its place by a transform. Row number n is shown by node n modulo the number
// of nodes, so scrolling by one row fills one node anew and leaves the others alone. A cell is touched only if what it
// shows has changed.

import { GridHeader } from "./grid_header.js";
import { Selection } from "./selection.js";
import { eachFrame, element, setText } from "./dom.js";
import { handleKey } from "./grid_keys.js";

/** Rows that are kept above and below those in sight. */
const MARGIN = 4;
let grids = 0;

export class Grid {
    /** Rows in order. */
    items = [];
    selection = new Selection();
    /** Paints before the next frame. */
    repaint = eachFrame(() => this.paint());

    #nodes = [];
    #id = `grid-${(grids += 1)}`;
    #header;
    #options;
    #shownHeight = 0;
    #columns = [];
    /** Pixels from the left at which columns begin. */
    #places = [];
    #rowHeight = 32;

    /**
     * A grid in `host`. Options: `label`; `key` of an item; `onselect()`, `onopen(item)`, `onmenu(x, y)` and `onkey(event)`
     * (true if it was used); `toggles()` (true if a plain click selects one more); `sort` and `onsort(column)`; `onwidth(column, width)`; `rowClass(item)`.
     */
    constructor(host, options) {
        this.#options = options;
        this.body = element("div", { class: "grid-body", role: "rowgroup" });
        this.#header = new GridHeader(options);
        this.node = element(
            "div",
            { class: "grid", role: "grid", tabindex: "0", "aria-label": options.label, "aria-multiselectable": "true" },
            this.#header.node,
            this.body,
        );
        host.append(this.node);
        this.#listen();
    }

    #listen() {
        this.node.addEventListener("scroll", this.repaint, { passive: true });
        new ResizeObserver(() => {
            this.#shownHeight = this.node.clientHeight;
            this.repaint();
        }).observe(this.node);
        this.node.addEventListener("keydown", (event) => {
            if (event.target !== this.node) return;
            if (this.#handleKey(event) || this.#options.onkey?.(event)) event.preventDefault();
        });
        this.body.addEventListener("mousedown", (event) => {
            // shift extends a selection of rows, not of text
            if (event.shiftKey) event.preventDefault();
        });
        this.body.addEventListener("click", (event) => this.#click(event));
        this.body.addEventListener("dblclick", (event) => {
            const item = this.#itemAt(event);
            if (item) this.#options.onopen?.(item);
        });
        this.body.addEventListener("contextmenu", (event) => this.#menu(event));
    }

    /** Other columns. A column has `id`, `title`, `width`, `align`, and `text(item)`, or `make()` and `paint(node, item)`. */
    setColumns(columns, rowHeight, { header = true } = {}) {
        this.#columns = columns;
        this.#rowHeight = rowHeight;
        for (const { node } of this.#nodes) node.remove();
        this.#nodes = [];
        this.node.style.setProperty("--row-height", `${rowHeight}px`);
        this.node.classList.toggle("headless", !header);
        this.node.setAttribute("aria-colcount", columns.length);
        this.#header.node.hidden = !header;
        this.#header.set(columns);
        this.setWidths();
        this.setItems(this.items);
    }

    /** Takes over the widths of its columns. */
    setWidths() {
        const places = [0];
        for (const { width } of this.#columns) places.push(places.at(-1) + width);
        this.node.style.setProperty("--grid-width", `${places.pop()}px`);
        const rows = [this.#header.cells(), ...this.#nodes.map((row) => row.cells.map((cell) => cell.node))];
        for (const cells of rows) cells.forEach((node, at) => this.#place(node, at, places));
        this.#places = places;
    }

    #place(node, at, places) {
        if (this.node.classList.contains("headless")) return;
        node.style.left = `${places[at]}px`;
        node.style.width = `${this.#columns[at].width}px`;
    }

    /** Other rows, or the same in another order. */
    setItems(items) {
        this.body.style.height = `${items.length * this.#rowHeight}px`;
        this.node.setAttribute("aria-rowcount", items.length + 1);
        this.items = items;
        this.repaint();
    }

    /** Shows the sorting. */
    showSort() {
        this.#header.showSort();
    }

    paint() {
        if (this.#columns.length === 0 || this.#shownHeight === 0) return;
        const count = Math.ceil(this.#shownHeight / this.#rowHeight) + 2 * MARGIN;
        const top = Math.floor(this.node.scrollTop / this.#rowHeight) - MARGIN;
        const first = Math.max(0, Math.min(top, this.items.length - count));
        this.#makeNodes(count);
        const focus = this.selection.focus;
        let active = null;
        for (let index = first; index < first + this.#nodes.length; index += 1) {
            const row = this.#nodes[index % this.#nodes.length];
            this.#fill(row, index);
            if (focus !== null && row.key === focus && index < this.items.length) active = row.node.id;
        }
        if (active) this.node.setAttribute("aria-activedescendant", active);
        else this.node.removeAttribute("aria-activedescendant");
    }

    #makeNodes(count) {
        if (count <= this.#nodes.length && count > this.#nodes.length - 8) return;
        while (this.#nodes.length > count) this.#nodes.pop().node.remove();
        while (this.#nodes.length < count) {
            const cells = this.#columns.map((column) => this.#makeCell(column));
            cells.forEach((cell, at) => this.#place(cell.node, at, this.#places));
            const id = `${this.#id}-${this.#nodes.length}`;
            const node = element("div", { class: "row", role: "row", id, hidden: true }, ...cells.map((cell) => cell.node));
            this.body.append(node);
            this.#nodes.push({ node, cells, index: -1, key: null, hidden: true, className: "row" });
        }
        // which node shows which row depends on how many there are
        for (const row of this.#nodes) row.index = -1;
    }

    #makeCell(column) {
        // numbers always fit; what does not cut costs less
        const cut = column.align === undefined && !column.make;
        const node = element("div", {
            class: `cell ${column.align ?? ""} ${column.class ?? ""}${cut ? " cut" : ""}`,
            role: "gridcell",
        });
        const parts = column.make?.(node);
        return { node, parts, column };
    }

    #fill(row, index) {
        const item = this.items[index];
        if ((item === undefined) !== row.hidden) {
            row.hidden = item === undefined;
            row.node.hidden = row.hidden;
        }
        if (item === undefined) return;
        if (row.index !== index) {
            row.index = index;
            row.node.style.transform = `translateY(${index * this.#rowHeight}px)`;
            row.node.setAttribute("aria-rowindex", index + 2);
        }
        row.key = this.#options.key(item);
        this.#mark(row, item);
        for (const { node, parts, column } of row.cells) {
            if (column.paint) column.paint(parts, item, node);
            else setText(node, column.text(item));
        }
    }

    #mark(row, item) {
        const selected = this.selection.has(row.key);
        const focused = this.selection.focus === row.key;
        const className = `row ${this.#options.rowClass?.(item) ?? ""}${selected ? " selected" : ""}${focused ? " focused" : ""}`;
        if (row.className === className) return;
        row.className = className;
        row.node.className = className;
        row.node.setAttribute("aria-selected", selected);
    }

    #itemAt(event) {
        const node = event.target.closest(".row");
        const row = this.#nodes.find((known) => known.node === node);
        return row && this.items[row.index];
    }

    #click(event) {
        const item = this.#itemAt(event);
        if (!item) return this.select(null);
        const key = this.#options.key(item);
        if (event.shiftKey) this.selection.reach(key, this.keys());
        else if (event.ctrlKey || event.metaKey || this.#options.toggles?.()) this.selection.toggle(key);
        else this.selection.only(key);
        this.selected();
        if (!event.shiftKey && !event.ctrlKey && !event.metaKey) this.#options.onclick?.(item);
    }

    #menu(event) {
        const item = this.#itemAt(event);
        if (!item || !this.#options.onmenu) return;
        event.preventDefault();
        const key = this.#options.key(item);
        if (!this.selection.has(key)) this.select(key);
        this.#options.onmenu(event.clientX, event.clientY);
    }

    /** Takes a key that was pressed elsewhere, and the keyboard with it; true if the key is for something here. */
    takeKey(event) {
        if (!this.#handleKey(event)) return false;
        event.preventDefault();
        this.node.focus();
        return true;
    }

    #handleKey(event) {
        return !event.altKey && handleKey(this, this.#options, event);
    }

    /** Keys of all rows, in order. */
    keys() {
        return this.items.map(this.#options.key);
    }

    /** Selects one row alone, or none. */
    select(key) {
        this.selection.only(key);
        this.selected();
    }

    /** Tells that the selection is another one. */
    selected() {
        this.repaint();
        this.#options.onselect?.();
    }

    /** Selected items, in the order of the rows. */
    selectedItems() {
        return this.items.filter((item) => this.selection.has(this.#options.key(item)));
    }

    /** Scrolls until row `index` is in sight. */
    reveal(index) {
        const top = index * this.#rowHeight;
        const seen = this.#shownHeight - this.#header.node.offsetHeight;
        if (top < this.node.scrollTop) this.node.scrollTop = top;
        else if (top + this.#rowHeight > this.node.scrollTop + seen) this.node.scrollTop = top + this.#rowHeight - seen;
        this.repaint();
    }

    /** Rows that fit. */
    page() {
        return Math.max(1, Math.floor(this.#shownHeight / this.#rowHeight) - 2);
    }

    /** Where the menu opens that the keyboard asked for. */
    menuPlace() {
        const row = this.#nodes.find((known) => known.key === this.selection.focus && !known.hidden);
        const { left, bottom } = (row?.node ?? this.node).getBoundingClientRect();
        return [left + 24, Math.min(bottom, innerHeight - 40)];
    }
}
