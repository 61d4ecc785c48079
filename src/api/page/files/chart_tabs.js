// Rates of a torrent, and the map of its pieces.

import * as api from "./api.js";
import { drawPieces, drawRates } from "./chart.js";
import { element, setText } from "./dom.js";
import { SECONDS } from "./history.js";
import { bytes, rateOrZero, whole } from "./format.js";

export class RatesTab {
    #history;
    #torrent = null;

    constructor(page) {
        this.#history = () => page.store.history;
        this.canvas = element("canvas", { class: "chart", role: "img" });
        const key = (name, label) => element("span", { class: `key ${name}` }, label);
        this.node = element(
            "div",
            { class: "stack" },
            element("div", { class: "panel-bar" }, key("up", "Up"), key("down", "Down")),
            this.canvas,
        );
        new ResizeObserver(() => this.#draw()).observe(this.canvas);
    }

    show(torrent) {
        this.#torrent = torrent;
        this.canvas.setAttribute(
            "aria-label",
            `Up ${rateOrZero(torrent.upload_rate)}, down ${rateOrZero(torrent.download_rate)}`,
        );
        this.#draw();
    }

    #draw() {
        if (this.#torrent) drawRates(this.canvas, this.#history().of(this.#torrent.hash), SECONDS, { axis: true });
    }
}

export class PiecesTab {
    #bits = new Uint8Array();
    #pieces = 0;

    constructor() {
        this.words = element("span", { class: "quiet" });
        this.canvas = element("canvas", { class: "chart", role: "img" });
        this.node = element("div", { class: "stack" }, element("div", { class: "panel-bar" }, this.words), this.canvas);
        new ResizeObserver(() => this.#draw()).observe(this.canvas);
    }

    begin() {
        this.#pieces = 0;
        setText(this.words, "");
        this.#draw();
    }

    ask(torrent) {
        return api.details(torrent.hash, "pieces");
    }

    take({ pieces, piece_length: length, have, bitfield }) {
        this.#bits = Uint8Array.from(atob(bitfield), (letter) => letter.charCodeAt(0));
        this.#pieces = pieces;
        const words = `${whole(have)} of ${whole(pieces)} pieces are here, ${bytes(length)} each`;
        setText(this.words, words);
        this.canvas.setAttribute("aria-label", words);
        this.#draw();
    }

    #draw() {
        drawPieces(this.canvas, this.#bits, this.#pieces);
    }

    show() {}
}
