// Buttons at the head of the page.

import { action, barActions, isPossible, menuEntries, perform } from "./actions.js";
import { button, find, setIcon } from "./dom.js";
import { currentTheme } from "./theme.js";
import { helpDialog } from "./help.js";
import { openUnder } from "./menu.js";
import { settingsDialog } from "./settings.js";
import { complain, tell } from "./toasts.js";

export class Toolbar {
    #page;
    #actions;
    #more;
    #slow;

    constructor(page) {
        this.#page = page;
        const add = button({
            label: "Add",
            icon: "add",
            kind: "primary",
            "aria-label": "Add torrents",
            onclick: () => perform(page, action("add")),
        });
        this.#actions = barActions.map((known) => ({
            known,
            node: button({
                label: known.label.replace("…", ""),
                icon: known.icon,
                iconOnly: true,
                kind: "plain wide-only",
                onclick: () => perform(page, known),
            }),
        }));
        this.#more = button({
            label: "More",
            icon: "more",
            iconOnly: true,
            kind: "plain wide-only",
            "aria-haspopup": "menu",
            onclick: () => openUnder(this.#more, menuEntries(page)),
        });
        find("toolbar").append(add, ...this.#actions.map(({ node }) => node), this.#more);
        find("tools").append(...this.#tools());
        this.show();
    }

    #tools() {
        const page = this.#page;
        const tool = (label, icon, onclick, kind = "plain wide-only") => button({ label, icon, iconOnly: true, kind, onclick });
        const columns = tool("Columns", "columns", () => page.table.openUnder(columns));
        const theme = tool("Light or dark", "dark", () => {
            page.toggleTheme();
            setIcon(theme.firstChild, currentTheme() === "dark" ? "light" : "dark");
        });
        setIcon(theme.firstChild, currentTheme() === "dark" ? "light" : "dark");
        const help = tool("Keyboard", "help", helpDialog);
        this.#slow = tool("Alternative rates", "slow", () => this.#toggleSlow());
        const settings = tool("Settings", "settings", () => settingsDialog(page));
        const logout = tool("Log out", "logout", () => page.onlogout());
        const all = button({
            label: "Menu",
            icon: "more",
            iconOnly: true,
            kind: "plain phone-only",
            "aria-haspopup": "menu",
            onclick: () => openUnder(all, this.#phoneEntries()),
        });
        return [columns, this.#slow, settings, theme, help, logout, all];
    }

    /** Between the usual limits of rates and the alternative ones. */
    async #toggleSlow() {
        const { store } = this.#page;
        try {
            await store.change({ alternative: !store.totals.alternative });
            tell(store.settings.alternative ? "Alternative rates hold" : "Usual rates hold");
        } catch (error) {
            complain(error);
        }
    }

    #phoneEntries() {
        const page = this.#page;
        return [
            { label: "Sort…", icon: "active", run: () => page.table.openUnder(find("tools")) },
            { label: "Alternative rates", checked: Boolean(page.store.totals.alternative), run: () => this.#toggleSlow() },
            { label: "Settings", icon: "settings", run: () => settingsDialog(page) },
            { label: "Light or dark", icon: "dark", run: () => page.toggleTheme() },
            { label: "Log out", icon: "logout", run: () => page.onlogout() },
        ];
    }

    /** Lets those be clicked that go with the selection. */
    show() {
        const selected = this.#page.selected().length;
        for (const { known, node } of this.#actions) node.disabled = !isPossible(known, selected);
        this.#more.disabled = selected === 0;
    }

    /** Shows which rates hold. */
    showRates() {
        const pressed = String(Boolean(this.#page.store.totals.alternative));
        if (this.#slow.getAttribute("aria-pressed") !== pressed) this.#slow.setAttribute("aria-pressed", pressed);
    }
}
