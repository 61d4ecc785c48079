// Makes elements. Text is always set as text: names come from strangers.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `attributes`: `class` and other attributes by name, `on*` listeners, true for a bare attribute; null and
 * false are left out. Children are nodes, or text.
 */
export function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
        else node.setAttribute(name, value === true ? "" : value);
    }
    const given = children.filter((child) => child !== null && child !== undefined);
    node.append(...given.map((child) => (typeof child === "string" ? harmless(child) : child)));
    return node;
}

/** Marks that turn the direction of what follows, by which `exe.gnp` is shown as `png.exe`. */
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

/** `text` without what would make other text be shown wrong. */
function harmless(text) {
    return TURNS.test(text) ? text.replace(TURNS, "\ufffd") : text;
}

/** One of the drawings at the end of the document, for eyes only: what it says is beside it in words. */
export function icon(name, className = "icon") {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", className);
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", iconAddress(name));
    svg.append(use);
    return svg;
}

/** Another picture in place of the one that `svg` shows. */
export function setIcon(svg, name) {
    const address = iconAddress(name);
    if (svg.firstChild.getAttribute("href") !== address) svg.firstChild.setAttribute("href", address);
}

function iconAddress(name) {
    return `#icon-${name}`;
}

/** A button with an icon and a word, or an icon alone whose word is its name. */
export function button({ label, icon: picture, onclick, kind = "plain", iconOnly = false, ...attributes }) {
    return element(
        "button",
        {
            type: "button",
            class: iconOnly ? `${kind} icon-only` : kind,
            onclick,
            title: iconOnly ? label : null,
            "aria-label": iconOnly ? label : null,
            ...attributes,
        },
        picture ? icon(picture) : null,
        iconOnly ? null : label,
    );
}

/** The element of this id, which the page has. */
export function find(id) {
    return document.getElementById(id);
}

/** Sets the text of `node` if it is another. */
export function setText(node, text) {
    const shown = harmless(text);
    if (node.firstChild === null) node.append(shown);
    else if (node.firstChild.data !== shown) node.firstChild.data = shown;
}

/** Calls `work` once before the next frame, however often it is asked to. */
export function eachFrame(work) {
    let asked = false;
    return () => {
        if (asked) return;
        asked = true;
        requestAnimationFrame(() => {
            asked = false;
            work();
        });
    };
}

/** Calls `work` when `milliseconds` have passed without another call. */
export function afterQuiet(milliseconds, work) {
    let timer = 0;
    return () => {
        clearTimeout(timer);
        timer = setTimeout(work, milliseconds);
    };
}

/** The window has no room for columns: a telephone. */
export const narrow = matchMedia("(max-width: 720px)");

/** A question or another text to type in has the keyboard. */
export function isTyping(target) {
    return target instanceof HTMLElement && target.closest("input, textarea, select, dialog, [contenteditable]") !== null;
}

/** What the browser kept under `key`, or `fallback`. */
export function remembered(key, fallback) {
    try {
        return JSON.parse(localStorage.getItem(`sower.${key}`)) ?? fallback;
    } catch {
        return fallback;
    }
}

/** Keeps `value` under `key`, where the browser allows it. */
export function remember(key, value) {
    try {
        localStorage.setItem(`sower.${key}`, JSON.stringify(value));
    } catch {
        // a private window: the choice holds until it is closed
    }
}
