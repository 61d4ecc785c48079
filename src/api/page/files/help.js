// Keys that the page knows.

import { keys } from "./actions.js";
import { ask } from "./dialog.js";
import { element } from "./dom.js";

const LIST = [
    ["↑ ↓ PgUp PgDn", "Go through the list"],
    ["Home End", "Go to the first, to the last"],
    ["Shift", "with these: select up to there"],
    ["Ctrl", "with these: go there, select nothing"],
    ["Space", "Select it, or no more"],
    ["Ctrl A", "Select all"],
    ["Enter", "Show or close details"],
    ["Shift F10", "Menu"],
    ["Esc", "Close details, select nothing"],
];

const PAGE = [
    ["/", "Search"],
    ["?", "These keys"],
    [",", "Settings"],
    ["Ctrl V", "Add links or torrent files from the clipboard"],
];

export function helpDialog() {
    const part = (title, pairs) =>
        element(
            "section",
            {},
            element("h3", {}, title),
            element(
                "dl",
                { class: "keys" },
                ...pairs.flatMap(([key, words]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, words)]),
            ),
        );
    void ask({
        title: "Keyboard",
        wide: true,
        body: [
            element(
                "div",
                { class: "pair" },
                element("div", {}, part("List", LIST), part("Page", PAGE)),
                part("Selected torrents", keys()),
            ),
        ],
    });
}
