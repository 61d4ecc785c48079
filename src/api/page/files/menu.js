// The menu that opens at the pointer, or under a button.

import { element, find, icon } from "./dom.js";

/**
 * Opens at (x, y). Entries: null for a line; else `label`, `run()`, and perhaps `icon`, `key` (a hint), `disabled`, `checked` (true or
 * false makes it a box), `danger`; in place of `run()`, `entries` are a menu of their own, which takes the place of this one.
 */
export function openMenu(x, y, entries, opener = document.activeElement) {
    const menu = find("menu");
    fill(menu, entries, opener);
    menu.showPopover();
    const { width, height } = menu.getBoundingClientRect();
    menu.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 4))}px`;
    menu.style.top = `${Math.max(4, Math.min(y, innerHeight - height - 4))}px`;
    // its first entry only when the keyboard goes there
    menu.focus();
}

/** `back()` leads to the menu that these entries are inside of. */
function fill(menu, entries, opener, back = null) {
    const inside = ({ entries: those, label }) => {
        fill(menu, those, opener, () => {
            fill(menu, entries, opener, back);
            choices(menu).find((node) => node.textContent.startsWith(label))?.focus();
        });
        choices(menu)[1]?.focus();
    };
    const nodes = entries.map((entry) => (entry === null ? element("hr") : item(menu, entry, opener, inside)));
    if (back) nodes.unshift(item(menu, { label: "Back", icon: "left", entries }, opener, back), element("hr"));
    menu.replaceChildren(...nodes);
    menu.onkeydown = (event) => moveIn(menu, event, back);
}

/** Opens under `node`. */
export function openUnder(node, entries) {
    const { left, bottom } = node.getBoundingClientRect();
    openMenu(left, bottom + 4, entries, node);
}

function item(menu, entry, opener, inside) {
    const box = entry.checked !== undefined;
    const mark = box ? icon(entry.checked ? "ticked" : "box") : entry.icon ? icon(entry.icon) : icon("none");
    return element(
        "button",
        {
            type: "button",
            role: box ? "menuitemcheckbox" : "menuitem",
            "aria-checked": box ? String(entry.checked) : null,
            "aria-haspopup": entry.entries ? "menu" : null,
            class: entry.danger ? "danger-text" : null,
            disabled: entry.disabled,
            tabindex: "-1",
            onclick: () => {
                if (entry.entries) return inside(entry);
                menu.hidePopover();
                opener?.focus?.();
                entry.run();
            },
        },
        mark,
        element("span", {}, entry.label),
        entry.key ? element("kbd", {}, entry.key) : null,
        entry.entries && entry.icon !== "left" ? icon("right") : null,
    );
}

function choices(menu) {
    return [...menu.querySelectorAll("button:not(:disabled)")];
}

function moveIn(menu, event, back) {
    const all = choices(menu);
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: (at < 0 ? 0 : at) - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Tab") menu.hidePopover();
    if (event.key === "ArrowRight" && document.activeElement.getAttribute("aria-haspopup")) document.activeElement.click();
    if (event.key === "ArrowLeft") back?.();
    if (to === undefined || all.length === 0) return;
    event.preventDefault();
    all[to % all.length].focus();
}
