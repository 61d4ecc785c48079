// Files of a torrent, and how much each is wanted.

import * as api from "./api.js";
import * as change from "./changes.js";
import { Grid } from "./grid.js";
import { bar, showPart } from "./progress.js";
import { ask, field, text } from "./dialog.js";
import { button, element, narrow, setText } from "./dom.js";
import { bytes, percent } from "./format.js";
import { openMenu } from "./menu.js";
import { complain } from "./toasts.js";

const ROW = 28;
const CARD_ROW = 62;
const PRIORITIES = [
    ["high", "High"],
    ["normal", "Normal"],
    ["low", "Low"],
    ["skip", "Skip"],
];
const WORDS = Object.fromEntries(PRIORITIES);

const COLUMNS = [
    { id: "path", title: "File", width: 520, class: "name", text: (file) => file.path },
    { id: "size", title: "Size", width: 100, align: "end", text: (file) => bytes(file.size) },
    { id: "progress", title: "Progress", width: 132, class: "progress", make: makeProgress, paint: paintProgress },
    { id: "priority", title: "Priority", width: 110, text: (file) => WORDS[file.priority] },
];

function makeProgress(cell) {
    const track = bar();
    const words = element("span", { class: "number" });
    cell.append(track, words);
    return { track, words };
}

function paintProgress({ track, words }, file) {
    const progress = file.size > 0 ? file.have / file.size : 1;
    showPart(track, progress);
    setText(words, file.priority === "skip" ? "not wanted" : percent(progress));
}

/** A whole file in one cell, for narrow windows. */
const CARD = { id: "card", width: 320, class: "card", make: makeCard, paint: paintCard };

function makeCard(cell) {
    const name = element("div", { class: "ellipsis" });
    const progress = element("div", { class: "progress" });
    const numbers = element("span", { class: "quiet" });
    cell.append(name, element("div", { class: "card-line" }, progress, numbers));
    return { name, progress: makeProgress(progress), numbers };
}

function paintCard({ name, progress, numbers }, file) {
    setText(name, file.path);
    paintProgress(progress, file);
    setText(numbers, `${bytes(file.size)} · ${WORDS[file.priority].toLowerCase()}`);
}

export class FilesTab {
    #page;
    #torrent = null;

    constructor(page) {
        this.#page = page;
        this.empty = element("p", { class: "empty-line" }, "The files are not known before the metadata is here.");
        const buttons = PRIORITIES.map(([id, label]) =>
            button({ label, kind: "secondary small", onclick: () => this.#want(id) }),
        );
        const rename = button({ label: "Rename…", kind: "secondary small", onclick: () => this.#rename() });
        const bar = element(
            "div",
            { class: "panel-bar", role: "toolbar", "aria-label": "Priority" },
            element("span", { class: "quiet" }, "Selected, or all:"),
            ...buttons,
            rename,
        );
        const host = element("div", { class: "panel-grid" });
        this.node = element("div", { class: "stack" }, bar, host, this.empty);
        this.grid = new Grid(host, {
            label: "Files",
            key: (file) => file.index,
            onmenu: (x, y) => this.#menu(x, y),
            rowClass: (file) => (file.priority === "skip" ? "faint" : ""),
        });
        const set = () => (narrow.matches ? this.grid.setColumns([CARD], CARD_ROW, { header: false }) : this.grid.setColumns(COLUMNS, ROW));
        narrow.addEventListener("change", set);
        set();
    }

    begin() {
        this.grid.setItems([]);
        this.grid.selection.only(null);
        this.empty.hidden = true;
    }

    ask(torrent) {
        return api.details(torrent.hash, "files");
    }

    take(answer) {
        this.grid.setItems(answer);
        this.empty.hidden = this.grid.items.length > 0;
    }

    show(torrent) {
        this.#torrent = torrent;
    }

    async #want(priority) {
        try {
            const indexes = this.grid.selectedItems().map((file) => file.index);
            await this.#page.change([this.#torrent], change.files(indexes, priority));
            await this.#page.details.refresh();
        } catch (error) {
            complain(error);
        }
    }

    #rename() {
        const [file] = this.grid.selectedItems();
        if (!file) return complain(new Error("Select a file first."));
        return ask({
            title: "Rename file",
            body: [field("Path below the folder", text("path", file.path, { required: true }))],
            submit: "Rename",
            onsubmit: async ({ elements }) => {
                await this.#page.change([this.#torrent], change.renamePath(file.path, elements.path.value.trim()));
                await this.#page.details.refresh();
            },
        });
    }

    #menu(x, y) {
        const entries = PRIORITIES.map(([id, label]) => ({ label: `Priority: ${label}`, run: () => this.#want(id) }));
        openMenu(x, y, [...entries, null, { label: "Rename…", icon: "rename", run: () => this.#rename() }], this.grid.node);
    }
}
