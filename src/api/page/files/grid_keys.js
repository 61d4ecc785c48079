// The keyboard in a grid.

/** Moves the focus, selects, opens; true if the key is for one of these. */
export function handleKey(grid, options, event) {
    const { selection, items } = grid;
    const at = items.findIndex((item) => options.key(item) === selection.focus);
    const target = move(event.key, at, grid);
    if (target !== null) {
        go(grid, options, Math.max(0, Math.min(target, items.length - 1)), event);
        return true;
    }
    if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
        selection.all(grid.keys());
        grid.selected();
        return true;
    }
    if (event.ctrlKey && event.key !== " ") return false;
    return one(grid, options, at, event.key === "F10" && event.shiftKey ? "ContextMenu" : event.key);
}

/** The row that a key leads to; null for other keys. */
function move(key, at, grid) {
    switch (key) {
        case "ArrowDown":
            return at + 1;
        case "ArrowUp":
            return at < 0 ? 0 : at - 1;
        case "PageDown":
            return at + grid.page();
        case "PageUp":
            return at - grid.page();
        case "Home":
            return 0;
        case "End":
            return grid.items.length - 1;
        default:
            return null;
    }
}

function go(grid, options, index, event) {
    const item = grid.items[index];
    if (item === undefined) return;
    const key = options.key(item);
    if (event.shiftKey) grid.selection.reach(key, grid.keys());
    else if (event.ctrlKey || event.metaKey) grid.selection.focus = key;
    else grid.selection.only(key);
    grid.selected();
    grid.reveal(index);
}

function one(grid, options, at, key) {
    switch (key) {
        case " ":
            if (at < 0) return false;
            grid.selection.toggle(grid.selection.focus);
            grid.selected();
            return true;
        case "Enter":
            if (at < 0 || !options.onopen) return false;
            options.onopen(grid.items[at]);
            return true;
        case "ContextMenu":
            if (grid.selection.keys.size === 0 || !options.onmenu) return false;
            options.onmenu(...grid.menuPlace());
            return true;
        default:
            return false;
    }
}
