// Filters with how many torrents each would show.

import { STATES } from "./status.js";
import { button, element, icon, setText } from "./dom.js";
import { whole } from "./format.js";

/** Groups below the states: what is narrowed, the title, the word for torrents that have none; `edit` names the button of those
 * that are the owner's to make, which are there without entries too. */
const GROUPS = [
    { name: "category", title: "Categories", none: "None", icon: "category", edit: "Edit categories" },
    { name: "tag", title: "Tags", none: "None", icon: "tag", edit: "Edit tags" },
    { name: "tracker", title: "Trackers", none: "None", icon: "tracker" },
];

export class Sidebar {
    #host;
    #choose;
    #groups = new Map();

    /** In `host`; `choose(name, value)` is called when one is clicked, `edit(name)` when a group is to be changed. */
    constructor(host, choose, edit) {
        this.#host = host;
        this.#choose = choose;
        this.#group("state", "State");
        for (const { name, title, edit: label } of GROUPS) this.#group(name, title, label && { label, run: () => edit(name) });
    }

    #group(name, title, edit) {
        const list = element("ul", { role: "list" });
        const id = `filter-${name}`;
        const pen = edit && button({ label: edit.label, icon: "rename", iconOnly: true, onclick: edit.run });
        const head = element("div", { class: "filter-head" }, element("h2", { id }, title), pen);
        const node = element("section", { "aria-labelledby": id }, head, list);
        list.addEventListener("keydown", (event) => step(list, event));
        this.#groups.set(name, { node, list, entries: new Map() });
        this.#host.append(node);
    }

    /** Shows counts, and what is chosen. */
    show(counts, filter, settings) {
        const states = STATES.filter(
            ({ id }) =>
                id === "all" ||
                id === filter.state ||
                counts.state.get(id) > 0 ||
                ["active", "downloading", "seeding", "paused"].includes(id),
        );
        this.#fill(
            "state",
            states.map(({ id, label, icon: picture }) => ({ value: id, label, picture, count: counts.state.get(id) ?? 0 })),
            filter.state,
        );
        const known = { category: Object.keys(settings?.categories ?? {}), tag: settings?.tags ?? [], tracker: [] };
        for (const { name, none, icon: picture, edit } of GROUPS) {
            const values = [...new Set([...counts[name].keys(), ...known[name]])].sort(
                (a, b) => (a === "") - (b === "") || a.localeCompare(b),
            );
            const entries = values.map((value) => ({
                value,
                label: value || none,
                picture,
                count: counts[name].get(value) ?? 0,
            }));
            const useful = entries.some(({ value }) => value !== "");
            this.#fill(name, useful ? entries : [], filter[name], edit !== undefined);
        }
    }

    #fill(name, entries, chosen, stays = false) {
        const group = this.#groups.get(name);
        group.node.hidden = entries.length === 0 && !stays;
        const wanted = new Set(entries.map(({ value }) => value));
        for (const [value, { node }] of group.entries) {
            if (wanted.has(value)) continue;
            node.remove();
            group.entries.delete(value);
        }
        entries.forEach((entry, place) => {
            const shown = group.entries.get(entry.value) ?? this.#entry(name, group, entry);
            if (group.list.children[place] !== shown.node)
                group.list.insertBefore(shown.node, group.list.children[place] ?? null);
            setText(shown.count, whole(entry.count));
            const pressed = String(entry.value === chosen);
            if (shown.button.getAttribute("aria-pressed") !== pressed) shown.button.setAttribute("aria-pressed", pressed);
        });
    }

    #entry(name, group, { value, label, picture }) {
        const count = element("span", { class: "count" });
        const pressed = () => node.getAttribute("aria-pressed") === "true";
        const node = element(
            "button",
            {
                type: "button",
                class: `filter ${name}-${name === "state" ? value : "any"}`,
                title: label,
                onclick: () => this.#choose(name, name !== "state" && pressed() ? null : value),
            },
            icon(picture),
            element("span", { class: "ellipsis" }, label),
            count,
        );
        const entry = { node: element("li", {}, node), button: node, count };
        group.entries.set(value, entry);
        return entry;
    }
}

/** Arrows go from one to the next. */
function step(list, event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    const all = [...list.querySelectorAll("button")];
    const next = all[all.indexOf(document.activeElement) + by];
    if (!next) return;
    event.preventDefault();
    next.focus();
}
