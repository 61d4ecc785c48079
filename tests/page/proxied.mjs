// The page behind nginx as it comes from the package, below a path of its own: what changes is seen as it changes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { addStopped } from "./torrents.mjs";
import { ask, folder, logIn, play, row, until, url } from "./browser.mjs";

const ADDRESS = "127.0.0.1:9380";
const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/nginx-${name};`);
writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; user root; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; events {}
    http {
        access_log off; ${temporary.join(" ")}
        server { listen ${ADDRESS}; location /box/ { proxy_pass ${url}; proxy_set_header Host $http_host; } }
    }`,
);
const nginx = spawn("nginx", ["-c", join(folder, "nginx.conf")], { stdio: "ignore" });
nginx.unref();
process.on("exit", () => nginx.kill());
await until(
    () =>
        fetch(`http://${ADDRESS}/box/readyz`).then(
            ({ ok }) => ok,
            () => "no answer",
        ),
    "nginx passes on",
);

await play("proxied", {}, async (page) => {
    await page.goto(`http://${ADDRESS}/box/`);
    await logIn(page);
    await page.getByText("Nothing to seed yet").waitFor();
    const [hash] = await addStopped([["news", 2 ** 20]]);
    await row(page, "news").getByText("Paused").waitFor();
    await ask("PATCH", `torrents/${hash}`, { name: "other news" });
    await row(page, "other news").waitFor();
    await row(page, "other news").click();
    await page.keyboard.press("Delete");
    await page.keyboard.press("Enter");
    await page.getByText("Nothing to seed yet").waitFor();
    assert.equal(await page.getByText("The daemon does not answer", { exact: false }).isVisible(), false);
});
