// Light, dark, or as the system has it.

import { remember, remembered } from "./dom.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Puts the chosen theme on the document. Told again whenever the system's changes. */
export function startTheme(onchange) {
    const apply = () => {
        document.documentElement.dataset.theme = currentTheme();
        onchange();
    };
    dark.addEventListener("change", apply);
    apply();
    return () => {
        const next = currentTheme() === "dark" ? "light" : "dark";
        // the system's own is no choice: it is followed when it changes
        remember("theme", next === (dark.matches ? "dark" : "light") ? null : next);
        apply();
    };
}

/** "light" or "dark". */
export function currentTheme() {
    return remembered("theme", null) ?? (dark.matches ? "dark" : "light");
}
