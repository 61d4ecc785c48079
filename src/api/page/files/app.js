// The start of the page: in with the token, or straight to the list when the cookie is still good.

import * as api from "./api.js";
import { Page } from "./page.js";
import { find } from "./dom.js";

const page = new Page();

function showLogin(problem = "") {
    page.leave();
    find("app").hidden = true;
    find("login").hidden = false;
    find("login-error").hidden = problem === "";
    find("login-error").textContent = problem;
    find("login-token").focus();
}

async function enter() {
    find("login").hidden = true;
    find("app").hidden = false;
    await page.enter();
}

find("login-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const input = find("login-token");
    const send = event.target.querySelector("button");
    send.disabled = true;
    try {
        await api.call("POST", "login", { token: input.value.trim() });
        input.value = "";
        await enter();
    } catch (error) {
        showLogin(error.message);
        input.select();
    } finally {
        send.disabled = false;
    }
});

api.login.addEventListener("needed", () => showLogin());

page.onlogout = async () => {
    await api.call("POST", "logout").catch(() => null);
    showLogin();
};

await enter();
