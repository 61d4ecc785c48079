// Which rows of a grid are selected, and which one has the keyboard.

/** Keys of selected rows. `focus` is the key that arrows move, `anchor` the one that shift reaches from. */
export class Selection {
    keys = new Set();
    focus = null;
    #anchor = null;

    has(key) {
        return this.keys.has(key);
    }

    /** This one alone; null for none. */
    only(key) {
        this.keys = new Set(key === null ? [] : [key]);
        this.focus = key;
        this.#anchor = key;
    }

    /** This one too, or no more. */
    toggle(key) {
        if (!this.keys.delete(key)) this.keys.add(key);
        this.focus = key;
        this.#anchor = key;
    }

    /** From the anchor to this one, in the order of `all`. */
    reach(key, all) {
        const from = Math.max(all.indexOf(this.#anchor), 0);
        const to = all.indexOf(key);
        this.keys = new Set(all.slice(Math.min(from, to), Math.max(from, to) + 1));
        this.focus = key;
    }

    /** All of them. */
    all(keys) {
        this.keys = new Set(keys);
        this.focus ??= keys[0] ?? null;
    }

    /** Forgets keys for which `exists` is false. */
    retain(exists) {
        for (const key of this.keys) if (!exists(key)) this.keys.delete(key);
        if (this.focus !== null && !exists(this.focus)) this.focus = null;
        if (this.#anchor !== null && !exists(this.#anchor)) this.#anchor = null;
    }
}
