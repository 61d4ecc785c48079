// Questions: a form in a dialog, which stays open with the daemon's words when the answer is refused.

import { button, element, setText } from "./dom.js";

let fields = 0;

/**
 * Asks. `body` are nodes, `submit` the word on the button, `danger` makes it red, `onsubmit(form)` may throw: then its message is
 * shown and nothing is lost. Resolves when the dialog is gone: true if it was submitted.
 */
export function ask({ title, body, submit, danger = false, wide = false, onsubmit }) {
    return new Promise((resolve) => {
        const problem = element("p", { class: "problem", role: "alert", hidden: true });
        const heading = element("h2", { id: `dialog-${(fields += 1)}` }, title);
        const cancel = button({ label: submit ? "Cancel" : "Close", kind: "secondary", onclick: () => dialog.close("") });
        const send = submit ? element("button", { type: "submit", class: danger ? "danger" : "primary" }, submit) : null;
        const form = element(
            "form",
            { method: "dialog", novalidate: true },
            element(
                "header",
                {},
                heading,
                button({ label: "Close", icon: "close", iconOnly: true, onclick: () => dialog.close("") }),
            ),
            element("div", { class: "dialog-body" }, ...body),
            element("footer", {}, problem, cancel, send),
        );
        const dialog = element("dialog", { class: wide ? "wide" : null, "aria-labelledby": heading.id }, form);
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            void answer({ form, send, problem, dialog, onsubmit });
        });
        dialog.addEventListener("close", () => {
            resolve(dialog.returnValue === "done");
            dialog.remove();
        });
        document.body.append(dialog);
        dialog.showModal();
        // not the button that closes it, which stands first
        (form.querySelector(".dialog-body :is(input, textarea, select):not([type=checkbox], [readonly], .unseen)") ?? send ?? cancel).focus();
    });
}

async function answer({ form, send, problem, dialog, onsubmit }) {
    if (!send) return dialog.close("");
    if (!form.reportValidity()) return;
    send.disabled = true;
    problem.hidden = true;
    try {
        await onsubmit(form);
        dialog.close("done");
    } catch (error) {
        setText(problem, error.message);
        problem.hidden = false;
    } finally {
        send.disabled = false;
    }
}

/** An input with its label, and a hint under it. */
export function field(label, input, hint) {
    input.id ||= `field-${(fields += 1)}`;
    const words = hint ? element("p", { class: "hint", id: `${input.id}-hint` }, hint) : null;
    if (words) input.setAttribute("aria-describedby", words.id);
    return element("div", { class: "field" }, element("label", { for: input.id }, label), input, words);
}

/** A text input; `choices` are offered while typing. */
export function text(name, value = "", { choices = [], ...attributes } = {}) {
    const input = element("input", { type: "text", name, value, autocomplete: "off", spellcheck: "false", ...attributes });
    if (choices.length === 0) return input;
    const list = element(
        "datalist",
        { id: `choices-${(fields += 1)}` },
        ...choices.map((choice) => element("option", { value: choice })),
    );
    input.setAttribute("list", list.id);
    document.body.append(list);
    input.addEventListener("focusout", () => setTimeout(() => input.isConnected || list.remove(), 1_000));
    return input;
}

/** A box to tick, with its label beside it. */
export function tick(name, label, checked = false, hint = null) {
    const input = element("input", { type: "checkbox", name, checked });
    const words = hint ? element("span", { class: "hint" }, hint) : null;
    return element("label", { class: "tick" }, input, element("span", {}, label, words));
}

/** One of several. `choices`: value and label. */
export function choose(name, choices, value) {
    const options = choices.map(([key, label]) => element("option", { value: key, selected: key === value }, label));
    return element("select", { name }, ...options);
}

/** Bytes a second: a number and its unit; empty for none. */
export function rateInput(name, value) {
    const mebi = value !== null && value !== undefined && value % 1_048_576 === 0 && value > 0;
    const shown =
        value === null || value === undefined ? "" : String(Math.round((value / (mebi ? 1_048_576 : 1_024)) * 100) / 100);
    const unit = choose(
        `${name}-unit`,
        [
            ["1024", "KiB/s"],
            ["1048576", "MiB/s"],
        ],
        mebi || shown === "" ? "1048576" : "1024",
    );
    unit.setAttribute("aria-label", "Unit");
    const number = numberInput(name, shown, { step: "any", placeholder: "no limit", "data-bytes": value ?? null });
    return { number, unit };
}

/** What `rateInput` holds: bytes a second, or null. What nobody touched is as it was, to the byte. */
export function rateOf(form, name) {
    const [input, unit] = [form.elements[name], form.elements[`${name}-unit`]];
    const number = numberOf(form, name);
    if (number === null) return null;
    const untouched = input.value === input.defaultValue && unit.selectedOptions[0].defaultSelected;
    return untouched && input.dataset.bytes ? Number(input.dataset.bytes) : Math.round(number * Number(unit.value));
}

/** Members of `after` that are other than in `before`. */
export function changed(after, before) {
    const isOther = ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name] ?? null);
    return Object.fromEntries(Object.entries(after).filter(isOther));
}

/** The two parts of `rateInput`, labelled. */
export function rateField(label, { number, unit }, hint) {
    const whole = field(label, number, hint);
    const both = element("div", { class: "joined" });
    number.replaceWith(both);
    both.append(number, unit);
    return whole;
}

/** A number that is not negative. */
export function numberInput(name, value, attributes = {}) {
    return element("input", {
        type: "number",
        name,
        value: value ?? "",
        min: "0",
        inputmode: "decimal",
        autocomplete: "off",
        ...attributes,
    });
}

/** What a number input holds; null if it is empty. */
export function numberOf(form, name) {
    const { value } = form.elements[name];
    return value.trim() === "" ? null : Number(value);
}

/** Words between commas. */
export function listOf(value) {
    return value
        .split(",")
        .map((word) => word.trim())
        .filter(Boolean);
}
