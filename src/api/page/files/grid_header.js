// The head of a grid: titles that sort when they are clicked, edges that are dragged.

import { element, icon, setIcon } from "./dom.js";

/** Pixels that a column has at least. */
const NARROWEST = 40;

export class GridHeader {
    #options;
    #titles = [];

    constructor(options) {
        this.#options = options;
        this.node = element("div", { class: "grid-head", role: "rowgroup" });
        if (options.oncolumns) {
            this.node.addEventListener("contextmenu", (event) => {
                event.preventDefault();
                options.oncolumns(event.clientX, event.clientY);
            });
        }
    }

    set(columns) {
        this.#titles = columns.map((column) => this.#title(column));
        const row = element("div", { class: "row", role: "row", "aria-rowindex": "1" }, ...this.#titles.map(({ node }) => node));
        this.node.replaceChildren(row);
        this.showSort();
    }

    #title(column) {
        const arrow = icon("down", "icon sort");
        const { onsort } = this.#options;
        const sorts = onsort !== undefined && column.sortable !== false;
        const inside = sorts
            ? element("button", { type: "button", tabindex: "-1", onclick: () => onsort(column) }, column.title, arrow)
            : element("span", {}, column.title);
        const node = element("div", { class: `cell ${column.align ?? ""}`, role: "columnheader", title: column.hint }, inside);
        if (this.#options.onwidth) node.append(this.#edge(column));
        return { node, column, arrow };
    }

    #edge(column) {
        const edge = element("div", { class: "edge" });
        edge.addEventListener("pointerdown", (event) => {
            event.preventDefault();
            edge.setPointerCapture(event.pointerId);
            const [start, width] = [event.clientX, column.width];
            edge.onpointermove = (moved) =>
                this.#options.onwidth(column, Math.max(NARROWEST, Math.round(width + moved.clientX - start)));
        });
        edge.addEventListener("lostpointercapture", () => (edge.onpointermove = null));
        return edge;
    }

    /** Its cells, in order. */
    cells() {
        return this.#titles.map(({ node }) => node);
    }

    /** Marks the column that sorts. */
    showSort() {
        const sort = this.#options.sort?.();
        for (const { node, column, arrow } of this.#titles) {
            const sorts = sort?.column.id === column.id;
            node.setAttribute("aria-sort", sorts ? (sort.descending ? "descending" : "ascending") : "none");
            setIcon(arrow, sort?.descending ? "down" : "up");
        }
    }
}
