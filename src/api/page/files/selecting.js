// Selecting several on a telephone: a long press begins it, taps go on, and a bar has what can be done with them.

import { action, barActions, menuEntries, perform } from "./actions.js";
import { button, element, find, setText } from "./dom.js";
import { openUnder } from "./menu.js";

export class Selecting {
    /** Taps select. */
    on = false;

    #page;
    #host = find("selecting");
    #count = element("strong", { class: "selecting-count" });

    constructor(page) {
        this.#page = page;
        const tool = (label, icon, onclick) => button({ label, icon, iconOnly: true, onclick });
        const acts = barActions.map(({ id, label, icon }) =>
            tool(label.replace("…", ""), icon, () => perform(page, action(id))),
        );
        const more = tool("More", "more", () => openUnder(more, menuEntries(page)));
        const all = tool("Select all", "all", () => {
            page.grid.selection.all(page.grid.keys());
            page.grid.selected();
        });
        this.#host.append(tool("Select no more", "close", () => this.stop()), this.#count, all, ...acts, more);
    }

    start() {
        this.#set(true);
    }

    stop() {
        this.#set(false);
        this.#page.grid.select(null);
    }

    #set(on) {
        this.on = on;
        this.#host.hidden = !on;
        document.body.classList.toggle("selecting-several", on);
        this.show();
    }

    /** Shows how many there are; without any it is over. */
    show() {
        if (!this.on) return;
        const { size } = this.#page.grid.selection.keys;
        setText(this.#count, `${size} selected`);
        if (size === 0) this.#set(false);
    }
}
