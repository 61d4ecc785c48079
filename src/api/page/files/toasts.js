// Short messages that go by themselves.

import { button, element, find, icon } from "./dom.js";

/** Milliseconds that a message stays; bad news stays longer. */
const SHORT = 4_000;
const LONG = 12_000;

/** Tells that something was done. */
export function tell(text) {
    show(text, "toast", "check", SHORT);
}

/** Tells that something was not done, and why. */
export function complain(error) {
    show(error.message ?? String(error), "toast bad", "warning", LONG);
}

function show(text, className, picture, milliseconds) {
    const close = button({ label: "Dismiss", icon: "close", iconOnly: true, onclick: () => toast.remove() });
    const toast = element("div", { class: className }, icon(picture), element("span", { class: "toast-text" }, text), close);
    find("toasts").append(toast);
    setTimeout(() => toast.remove(), milliseconds);
}
