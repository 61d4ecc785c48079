// Torrents to add: real ones of files, and ones of files that nobody has.

import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, folder, program } from "./browser.mjs";

/** A file of `size` random bytes called `name` in the download folder, and its torrent; `tracker` is announced to. */
export function seededFile(name, size, tracker) {
    const downloads = join(folder, "state", "downloads");
    mkdirSync(downloads, { recursive: true });
    const path = join(downloads, name);
    writeFileSync(path, randomBytes(size));
    const torrent = join(folder, `${name}.torrent`);
    execFileSync(program, [
        "create",
        path,
        "--output",
        torrent,
        "--piece-size",
        "64KiB",
        ...(tracker ? ["--tracker", tracker] : []),
    ]);
    return { path, torrent, bytes: readFileSync(torrent) };
}

function bencode(value) {
    if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value]);
    if (typeof value === "string") return bencode(Buffer.from(value));
    if (typeof value === "number") return Buffer.from(`i${value}e`);
    if (Array.isArray(value)) return Buffer.concat([Buffer.from("l"), ...value.map(bencode), Buffer.from("e")]);
    const pairs = Object.keys(value)
        .sort()
        .flatMap((key) => [bencode(key), bencode(value[key])]);
    return Buffer.concat([Buffer.from("d"), ...pairs, Buffer.from("e")]);
}

const PIECE = 2 ** 20;

/** A torrent file of one file that is nowhere; `more` goes beside its info. */
export function nobodysTorrent(name, size, more = {}) {
    const pieces = createHash("shake256", { outputLength: 20 * Math.ceil(size / PIECE) })
        .update(name)
        .digest();
    return bencode({ info: { length: size, name, "piece length": PIECE, pieces }, ...more });
}

/** Adds such torrents stopped, past the page: names and sizes, and what is chosen for all of them. */
export async function addStopped(torrents, options = {}, where = undefined) {
    const form = new FormData();
    form.append("options", JSON.stringify({ paused: true, ...options }));
    torrents.forEach(([name, size], at) => form.append("torrents", new Blob([nobodysTorrent(name, size)]), `${at}.torrent`));
    const { added, refused } = await ask("POST", "torrents", form, where);
    if (refused.length > 0) throw new Error(JSON.stringify(refused[0]));
    return added.map(({ hash }) => hash);
}
