// Changes of torrents, as the API names them.

export const start = { kind: "start", forced: false };
export const force = { kind: "start", forced: true };
export const stop = { kind: "stop" };
export const verify = { kind: "verify" };
export const reannounce = { kind: "reannounce" };
export const remove = (data) => ({ kind: "remove", data });
export const move = (folder, files) => ({ kind: "move", folder, files });
/** Null for the torrent's own. */
export const name = (text) => ({ kind: "name", name: text });
export const renamePath = (from, to) => ({ kind: "rename_path", from, to });
export const files = (indexes, priority) => ({ kind: "files", indexes, priority });
export const category = (text) => ({ kind: "category", category: text });
export const addTags = (tags) => ({ kind: "add_tags", tags });
export const removeTags = (tags) => ({ kind: "remove_tags", tags });
export const autoManaged = (on) => ({ kind: "auto_managed", on });
export const sequential = (on) => ({ kind: "sequential", on });
export const firstLast = (on) => ({ kind: "first_last", on });
export const superSeed = (on) => ({ kind: "super_seed", on });
export const addPeers = (peers) => ({ kind: "add_peers", peers });
export const limits = (those) => ({ kind: "limits", ...those });
export const addTrackers = (urls) => ({ kind: "add_trackers", urls });
export const removeTrackers = (urls) => ({ kind: "remove_trackers", urls });
export const replaceTracker = (from, to) => ({ kind: "replace_tracker", from, to });
/** `to`: "top", "up", "down" or "bottom". */
export const queue = (to) => ({ kind: "queue", to });
