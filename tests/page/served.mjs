// The files of the page, asked for as a browser does.

import assert from "node:assert/strict";
import { url } from "./browser.mjs";

const get = (path, options) => fetch(new URL(path, url), options);

const page = await get("");
assert.equal(page.status, 200);
assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
assert.match(page.headers.get("content-security-policy"), /default-src 'self'.*require-trusted-types-for 'script'/);
assert.equal(page.headers.get("cache-control"), "no-cache");
const html = await page.text();
assert.doesNotMatch(html, /<script(?![^>]* src=)|<style|style=|\son\w+=/, "no script or style stands in the page itself");

const seen = new Map();
const waiting = [...html.matchAll(/(?:href|src)="(page\/[^"#]+)/g)].map(([, path]) => path);
const types = { css: "text/css; charset=utf-8", js: "text/javascript; charset=utf-8", svg: "image/svg+xml" };
while (waiting.length > 0) {
    const path = waiting.pop();
    if (seen.has(path)) continue;
    const answer = await get(path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get("content-type"), types[path.split(".").pop()], path);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff", path);
    const text = await answer.text();
    assert.doesNotMatch(
        text.replaceAll("http://www.w3.org/", ""),
        /https?:\/\/(?!tracker\.example)|innerHTML|\beval\b/,
        `${path} fetches nothing from elsewhere`,
    );
    seen.set(path, answer.headers.get("etag"));
    for (const [, next] of text.matchAll(/from "\.\/([^"]+)"/g)) waiting.push(`page/${next}`);
}
assert.ok(seen.size > 30, `${seen.size} files`);
assert.equal(new Set(seen.values()).size, seen.size, "every file has a tag of its own");

const [path, tag] = [...seen][0];
const again = await get(path, { headers: { "if-none-match": tag } });
assert.equal(again.status, 304);
assert.equal(await again.text(), "");
assert.equal((await get(path, { headers: { "if-none-match": '"another"' } })).status, 200);
const head = await get(path, { method: "HEAD" });
assert.equal(head.status, 200);
assert.equal(head.headers.get("etag"), tag);
assert.equal(await head.text(), "");
for (const nothing of ["page/nothing.js", "page/..%2fmod.rs", "page/", "page/index.html/x"])
    assert.equal((await get(nothing)).status, 404, nothing);
assert.equal((await get(path, { method: "POST" })).status, 405);
