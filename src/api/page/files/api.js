// The daemon's own API (`/api/v1`): every request of the page is made here.

const base = new URL("api/v1/", document.baseURI);

/** What a list needs of a torrent. */
const LIST_FIELDS = [
    "hash",
    "name",
    "size",
    "activity",
    "activity_per_mille",
    "message",
    "tracker",
    "tracker_trouble",
    "tracker_message",
    "category",
    "tags",
    "progress",
    "left",
    "uploaded",
    "downloaded",
    "upload_rate",
    "download_rate",
    "peers",
    "seeds",
    "unchoked",
    "swarm_seeds",
    "swarm_leechers",
    "ratio",
    "added_at",
    "completed_at",
    "active_at",
    "queue",
    "forced",
    "auto_managed",
    "sequential",
    "first_last",
    "super_seed",
    "private",
    "folder",
    "upload_limit",
    "download_limit",
].join(",");

/** A request that was not followed. */
class Refused extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

/** Listeners hear when the cookie is not, or no longer, good. */
export const login = new EventTarget();

/** Asks, and gives the answer's JSON; throws `Refused` with the daemon's own words. */
export async function call(method, path, body) {
    let response;
    try {
        response = await fetch(new URL(path, base), {
            method,
            headers: body === undefined ? {} : { "content-type": "application/json" },
            body: body === undefined ? undefined : JSON.stringify(body),
            credentials: "same-origin",
            cache: "no-store",
        });
    } catch {
        throw new Refused(0, "The daemon cannot be reached.");
    }
    if (response.ok) return contentOf(response);
    if (response.status === 401 && path !== "login") login.dispatchEvent(new Event("needed"));
    throw new Refused(response.status, await reason(response));
}

function contentOf(response) {
    const kind = response.headers.get("content-type") ?? "";
    if (kind.includes("json")) return response.json();
    return kind.includes("bittorrent") ? response.blob() : null;
}

async function reason(response) {
    const text = await response.text().catch(() => "");
    try {
        const { message } = JSON.parse(text).error;
        if (typeof message === "string") return sentence(message);
    } catch {
        // plain text
    }
    return text.slice(0, 500) || `The daemon answered ${response.status} ${response.statusText}.`;
}

/** Begins with a capital, and ends with a full stop. */
function sentence(words) {
    const text = words.trim();
    return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

export const get = (path) => call("GET", path);

/** Changes torrents: `change` as the API names it, see changes.js. */
export const change = (hashes, what) => call("POST", "change", { hashes, change: what });

/** Adds a torrent; gives its hash, and whether it was there before. */
export const add = async (addition) => (await call("POST", "torrents", addition)).added[0];

/** One torrent's details: `part` is "files", "peers", "trackers" or "pieces"; none for all of its fields. */
export const details = (hash, part) => get(part ? `torrents/${hash}/${part}` : `torrents/${hash}`);

/** A torrent's own file, as an address that the browser can save from. */
export const fileOf = async (hash) => URL.createObjectURL(await call("GET", `torrents/${hash}/torrent`));

/** Everything that the list shows. */
export const torrents = () => get(`torrents?fields=${LIST_FIELDS}`);

/** The stream of changes since `revision`. */
export function changes(revision) {
    return new EventSource(new URL(`events?since=${revision}&fields=${LIST_FIELDS}`, base));
}
