// Keys that are good anywhere on the page but where somebody types.

import { actionOf, perform } from "./actions.js";
import { helpDialog } from "./help.js";
import { isTyping } from "./dom.js";
import { settingsDialog } from "./settings.js";

export class Keys {
    #page;

    constructor(page) {
        this.#page = page;
        document.addEventListener("keydown", (event) => {
            if (event.defaultPrevented || !page.isOpen() || isTyping(event.target) || event.target === page.grid.node) return;
            if (event.target.closest("[role=menu], [role=grid]")) return;
            // nobody has the keyboard: the list takes it
            if (event.target === document.body && page.grid.takeKey(event)) return;
            if (this.use(event)) event.preventDefault();
        });
    }

    /** Does what the key is for; true if it is for something. */
    use(event) {
        const page = this.#page;
        if ((event.ctrlKey || event.metaKey) && event.key === "f") return (page.filters.focus(), true);
        if (event.ctrlKey || event.metaKey) return false;
        switch (event.altKey ? "" : event.key) {
            case "/":
                return (page.filters.focus(), true);
            case "?":
                return (helpDialog(), true);
            case ",":
                return (settingsDialog(page), true);
            case "Escape":
                return this.#escape();
        }
        const known = actionOf(event);
        if (known) perform(page, known);
        return known !== undefined;
    }

    #escape() {
        if (this.#page.details.torrent) this.#page.details.close();
        else this.#page.grid.select(null);
        return true;
    }
}
