// Search and sidebar: they narrow the list.

import { EVERYTHING } from "./listing.js";
import { Sidebar } from "./sidebar.js";
import { button, find, icon } from "./dom.js";
import { categoriesDialog, manageTagsDialog } from "./labels.js";

export class Filters {
    #page;
    #sidebar;
    #search = find("search");
    #opener = find("open-filters");

    constructor(page) {
        this.#page = page;
        const edit = (name) => void (name === "tag" ? manageTagsDialog(page) : categoriesDialog(page));
        this.#sidebar = new Sidebar(find("sidebar"), (name, value) => this.#choose(name, value), edit);
        this.#search.addEventListener("input", () => this.#choose("text", this.#search.value));
        this.#search.addEventListener("keydown", (event) => this.#key(event));
        const clear = find("clear-search");
        clear.append(icon("close"));
        clear.addEventListener("click", () => {
            this.#search.value = "";
            this.#choose("text", "");
            this.#search.focus();
        });
        this.#opener.append(icon("filter"));
        this.#opener.addEventListener("click", () => this.#drawer(!document.body.classList.contains("filters-open")));
        find("scrim").addEventListener("click", () => this.#drawer(false));
        find("sidebar").prepend(
            button({
                label: "Close filters",
                icon: "close",
                iconOnly: true,
                kind: "plain phone-only close-filters",
                onclick: () => this.#drawer(false),
            }),
        );
    }

    #key(event) {
        if (event.key === "Escape" && this.#search.value) {
            this.#search.value = "";
            this.#choose("text", "");
        } else if (event.key === "Escape" || event.key === "ArrowDown" || event.key === "Enter") {
            event.preventDefault();
            this.#goToList();
        }
    }

    /** To the row that had the keyboard, or to the first one if that is not among those found. */
    #goToList() {
        const { grid } = this.#page;
        grid.node.focus();
        const { focus } = grid.selection;
        if (grid.items.length > 0 && !grid.items.some((torrent) => torrent.hash === focus)) grid.select(grid.items[0].hash);
    }

    #choose(name, value) {
        this.#page.listing.filter[name] = value;
        this.#page.grid.node.scrollTop = 0;
        if (name !== "text") this.#drawer(false);
        this.#page.refresh();
    }

    /** In a narrow window the sidebar lies over the list. */
    #drawer(open) {
        document.body.classList.toggle("filters-open", open);
        find("scrim").hidden = !open;
        this.#opener.setAttribute("aria-expanded", open);
        if (open) find("sidebar").querySelector("button").focus();
    }

    /** Puts the keyboard into the search. */
    focus() {
        this.#search.focus();
        this.#search.select();
    }

    /** Shows everything again. */
    clear() {
        Object.assign(this.#page.listing.filter, EVERYTHING);
        this.#search.value = "";
        this.#page.refresh();
    }

    show() {
        this.#sidebar.show(this.#page.listing.counts(), this.#page.listing.filter, this.#page.store.settings);
    }
}
