// Categories with their folders, and tags: made, changed and removed.

import * as change from "./changes.js";
import { ask, field, text } from "./dialog.js";
import { button, element } from "./dom.js";
import { complain, tell } from "./toasts.js";
import { counted } from "./format.js";

/** Asks for all categories and where their content goes. */
export async function categoriesDialog(page) {
    try {
        await page.store.refreshSettings();
    } catch (error) {
        return complain(error);
    }
    const before = page.store.settings.categories;
    const rows = new Rows((name) => page.folderOf(name));
    for (const [name, { folder }] of Object.entries(before)) rows.add(name, folder, usedBy(page, (torrent) => torrent.category === name));
    if (Object.keys(before).length === 0) rows.add();
    return ask({
        title: "Categories",
        wide: true,
        body: [
            rows.node,
            element(
                "p",
                { class: "hint" },
                "Torrents that are added with a category go to its folder; without one, to a folder of its name in " +
                    `${page.store.settings.download_folder}. Those that follow their category are moved when they get another one. ` +
                    "Of a removed category nothing but the name is gone.",
            ),
        ],
        submit: "Save",
        onsubmit: () => save(page, rows, before),
    });
}

function usedBy(page, holds) {
    return [...page.store.torrents.values()].filter(holds);
}

async function save(page, rows, before) {
    const after = new Map();
    for (const { name, folder } of rows.read()) {
        if (name === "" && folder === null) continue;
        if (name === "") throw new Error(`Give the category of ${folder} a name.`);
        if (after.has(name)) throw new Error(`There are two categories called ${name}.`);
        after.set(name, folder);
    }
    const categories = {};
    for (const [name, folder] of after) if (before[name]?.folder !== folder) categories[name] = { folder };
    const gone = Object.keys(before).filter((name) => !after.has(name));
    for (const name of gone) categories[name] = null;
    if (Object.keys(categories).length === 0) return;
    const left = usedBy(page, (torrent) => gone.includes(torrent.category));
    if (left.length > 0) await page.change(left, change.category(""));
    await page.store.change({ categories });
    tell("Saved");
}

/** Names, each with a folder and a button that takes it away; new ones at the end. */
class Rows {
    #list = element("ul", { class: "label-rows" });

    #usual;

    /** `usual(name)` is the folder of one that has none of its own. */
    constructor(usual) {
        this.#usual = usual;
        const more = button({ label: "New category", icon: "add", kind: "secondary small", onclick: () => this.add().focus() });
        this.node = element("div", { class: "field" }, this.#list, element("div", {}, more));
    }

    /** A line; `used` are torrents that have it. A known name stays: torrents are told by it. Gives the input to fill in. */
    add(name = null, folder = null, used = []) {
        const input = text("name", name ?? "", { readonly: name !== null, placeholder: "Name", "aria-label": "Name" });
        const where = text("folder", folder ?? "", { "aria-label": `Folder of ${name ?? "it"}` });
        const hint = () => (where.placeholder = this.#usual(input.value.trim()));
        input.addEventListener("input", hint);
        hint();
        const drop = button({
            label: name === null ? "Leave out" : `Remove ${name}`,
            icon: "remove",
            iconOnly: true,
            onclick: () => line.remove(),
        });
        const count = used.length > 0 ? counted(used.length, "torrent") : "";
        const line = element("li", {}, input, where, element("span", { class: "quiet" }, count), drop);
        this.#list.append(line);
        return name === null ? input : where;
    }

    read() {
        const value = (line, name) => line.querySelector(`[name=${name}]`).value.trim();
        return [...this.#list.children].map((line) => ({ name: value(line, "name"), folder: value(line, "folder") || null }));
    }
}

/** Asks for the tags that can be chosen; those that are taken away are taken from torrents too. */
export async function manageTagsDialog(page) {
    try {
        await page.store.refreshSettings();
    } catch (error) {
        return complain(error);
    }
    const before = page.tags();
    const gone = new Set();
    const list = element("ul", { class: "label-rows tags" });
    for (const tag of before) list.append(tagLine(page, tag, gone));
    const fresh = text("fresh", "", { placeholder: "rare, to keep" });
    return ask({
        title: "Tags",
        body: [list, field("New tags", fresh, "Separated by commas.")],
        submit: "Save",
        onsubmit: async () => {
            const added = fresh.value.split(",").map((tag) => tag.trim());
            const kept = before.filter((tag) => !gone.has(tag)).concat(added.filter(Boolean));
            const left = usedBy(page, (torrent) => torrent.tags.some((tag) => gone.has(tag)));
            if (left.length > 0) await page.change(left, change.removeTags([...gone]));
            await page.store.change({ tags: [...new Set(kept)].sort() });
            tell("Saved");
        },
    });
}

function tagLine(page, tag, gone) {
    const used = usedBy(page, (torrent) => torrent.tags.includes(tag)).length;
    const drop = button({
        label: `Remove ${tag}`,
        icon: "remove",
        iconOnly: true,
        onclick: () => {
            gone.add(tag);
            line.remove();
        },
    });
    const count = element("span", { class: "quiet" }, used > 0 ? counted(used, "torrent") : "");
    const line = element("li", {}, element("span", { class: "ellipsis" }, tag), count, drop);
    return line;
}
