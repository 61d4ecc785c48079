// A browser on the page of the daemon under test, and what tests do with it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

/** Where the daemon is, and what it and the test may use. */
export const {
    SOWER_URL: url,
    SOWER_TOKEN: token,
    SOWER_FOLDER: folder,
    SOWER_PICTURES: pictures,
    SOWER_PROGRAM: program,
} = process.env;

const FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
/** Milliseconds that anything may take; the machine may have much else to do. */
const PATIENCE = Number(process.env.SOWER_PATIENCE ?? 30_000);

/** Plays a test called `name` with a page that shows the login; what it complains of on the console fails the test. */
export async function play(name, options, test) {
    const data = mkdtempSync(join(folder, "chromium-"));
    const context = await chromium.launchPersistentContext(data, {
        executablePath: "/usr/bin/chromium",
        args: FLAGS,
        viewport: { width: 1440, height: 900 },
        locale: "en-GB",
        timezoneId: "UTC",
        ...options,
    });
    context.setDefaultTimeout(PATIENCE);
    const page = context.pages()[0] ?? (await context.newPage());
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.stack));
    page.on("console", (message) => {
        // browsers put every refusal on the console; the page shows those of the API itself
        const refusal = message.text().startsWith("Failed to load resource") && message.location().url.includes("/api/v1/");
        if (message.type() === "error" && !refusal) complaints.push(`${message.text()} (${message.location().url})`);
    });
    try {
        await page.goto(url);
        await test(page, complaints);
        assert.deepEqual(complaints, []);
    } catch (error) {
        await page.screenshot({ path: join(pictures, `${name}-failed.png`) }).catch(() => {});
        console.error(`${name}: ${error.stack}`, complaints);
        process.exitCode = 1;
    } finally {
        await context.close();
    }
}

/** Logs in, and waits for the list. */
export async function logIn(page) {
    await page.locator("#login-token").fill(token);
    await page.keyboard.press("Enter");
    await page.locator("#app").waitFor();
    await page.locator(".shadows").waitFor({ state: "detached" });
}

/** Keeps a picture of the page. */
export async function picture(page, name) {
    await page.screenshot({ path: join(pictures, `${name}.png`) });
}

/** The row of the torrent of this name. */
export function row(page, name) {
    return page.locator("#list .row[aria-rowindex]:visible", { has: page.getByText(name, { exact: true }) });
}

/** Names in the list, from top to bottom. */
export async function names(page) {
    const rows = await page
        .locator("#list .grid-body .row:visible")
        .evaluateAll((all) =>
            all.map((one) => [Number(one.getAttribute("aria-rowindex")), one.querySelector(".name, .card-name").textContent]),
        );
    return rows.sort((a, b) => a[0] - b[0]).map(([, name]) => name);
}

/** Waits until the list shows these names in this order. */
export async function shows(page, expected) {
    await until(async () => {
        const found = await names(page);
        return JSON.stringify(found) === JSON.stringify(expected) ? true : `${found}`;
    }, `the list shows ${expected}`);
}

/** Waits until `holds()` gives true; what else it gave last is told when it never does. */
export async function until(holds, what) {
    const end = Date.now() + PATIENCE;
    for (;;) {
        const answer = await holds();
        if (answer === true) return;
        if (Date.now() > end) assert.fail(`waited in vain: ${what}; last: ${answer}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** Drops files and text on the page, as from outside of the browser. */
export async function drop(page, { files = [], text = "" }) {
    const contents = files.map(({ name, bytes }) => ({ name, base64: Buffer.from(bytes).toString("base64") }));
    const data = await page.evaluateHandle(
        ([those, words]) => {
            const transfer = new DataTransfer();
            for (const { name, base64 } of those) {
                const all = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
                transfer.items.add(new File([all], name, { type: "application/x-bittorrent" }));
            }
            if (words) transfer.setData("text/plain", words);
            return transfer;
        },
        [contents, text],
    );
    await page.dispatchEvent("#list", "dragover", { dataTransfer: data });
    await page.dispatchEvent("#list", "drop", { dataTransfer: data });
}

/** Runs the program beside the test, until that ends. */
export function alongside(...options) {
    const child = spawn(program, options, { stdio: "ignore" });
    // neither this script waits for it, nor it for the script
    child.unref();
    process.on("exit", () => child.kill("SIGKILL"));
    return child;
}

/** Asks the daemon, past the page. */
export async function ask(method, path, body, where = { url, token }) {
    const form = body instanceof FormData;
    const answer = await fetch(new URL(`api/v1/${path}`, where.url), {
        method,
        headers: { authorization: `Bearer ${where.token}`, ...(body && !form ? { "content-type": "application/json" } : {}) },
        body: form ? body : body && JSON.stringify(body),
    });
    const words = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${words}`);
    return words ? JSON.parse(words) : null;
}
