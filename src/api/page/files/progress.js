// Bars that show how much is here.

import { element } from "./dom.js";

/** An empty one. */
export function bar() {
    return element("div", { class: "track" });
}

/** Shows `part` of 1 on it: one element, painted in two colours, which costs less than one in another. */
export function showPart(track, part) {
    const width = `${Math.round(part * 1000) / 10}% 100%`;
    if (track.style.backgroundSize !== width) track.style.backgroundSize = width;
    if (track.classList.contains("whole") !== part >= 1) track.classList.toggle("whole");
}
