// Charts of rates, and the map of pieces, on canvases.

import { rateOrZero } from "./format.js";

/** A canvas in the device's own dots, cleared; null while it has no size. Also its size, and the colours of the theme. */
function prepare(canvas) {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (width === 0 || height === 0) return null;
    const scale = devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    return { pen, width, height, colour: (name) => style.getPropertyValue(`--${name}`).trim() };
}

/** The next round number above `rate`: 1, 2 or 5 times a power of ten of its unit. */
function roundUp(rate) {
    let unit = 1;
    while (rate / unit >= 1_000) unit *= 1_024;
    const power = 10 ** Math.floor(Math.log10(Math.max(rate / unit, 1)));
    const step = [1, 2, 5, 10].find((factor) => rate / unit <= factor * power) ?? 10;
    return Math.max(step * power * unit, 1_024);
}

/** Rates of the last `seconds`, sent over received. With `axis`, lines say how much. */
export function drawRates(canvas, rates, seconds, { axis = false } = {}) {
    const sheet = prepare(canvas);
    if (!sheet) return;
    const shown = Math.min(rates.length, seconds);
    let most = 0;
    for (let ago = 0; ago < shown; ago += 1) most = Math.max(most, rates.up[rates.at(ago)], rates.down[rates.at(ago)]);
    const top = roundUp(most);
    if (axis) drawAxis(sheet, top, seconds);
    drawCurve(sheet, rates, rates.down, { shown, seconds, top, colour: sheet.colour("down"), axis });
    drawCurve(sheet, rates, rates.up, { shown, seconds, top, colour: sheet.colour("up"), axis });
}

function drawAxis({ pen, width, height, colour }, top, seconds) {
    pen.strokeStyle = colour("line");
    pen.fillStyle = colour("quiet");
    pen.lineWidth = 1;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "bottom";
    for (const part of [0, 0.5, 1]) {
        const y = Math.round(height - 18 - part * (height - 36)) + 0.5;
        pen.beginPath();
        pen.moveTo(0, y);
        pen.lineTo(width, y);
        pen.stroke();
        if (part > 0) pen.fillText(rateOrZero(top * part), 2, y - 1);
    }
    pen.textBaseline = "top";
    pen.fillText(`${Math.round(seconds / 60)} min ago`, 2, height - 14);
    const now = "now";
    pen.fillText(now, width - pen.measureText(now).width - 2, height - 14);
}

function drawCurve({ pen, width, height }, rates, values, { shown, seconds, top, colour, axis }) {
    if (shown === 0) return;
    const [floor, room] = axis ? [height - 18, height - 36] : [height - 1, height - 3];
    const x = (ago) => width - (ago / (seconds - 1)) * width;
    const y = (ago) => floor - (values[rates.at(ago)] / top) * room;
    pen.beginPath();
    pen.moveTo(x(0), y(0));
    for (let ago = 1; ago < shown; ago += 1) pen.lineTo(x(ago), y(ago));
    pen.strokeStyle = colour;
    pen.lineWidth = axis ? 1.75 : 1.5;
    pen.lineJoin = "round";
    pen.stroke();
    pen.lineTo(x(shown - 1), floor);
    pen.lineTo(x(0), floor);
    pen.closePath();
    pen.globalAlpha = 0.12;
    pen.fillStyle = colour;
    pen.fill();
    pen.globalAlpha = 1;
}

/** Dots between pieces are drawn while a piece has this many. */
const ROOMY = 4;

/** Which pieces are here; `bits` has one a piece, the first the highest of the first byte. */
export function drawPieces(canvas, bits, pieces) {
    const sheet = prepare(canvas);
    if (!sheet || pieces === 0) return;
    const { pen, width, height, colour } = sheet;
    // squares as large as fit; below three dots a square stands for several pieces
    const size = Math.max(3, Math.min(16, Math.floor(Math.sqrt((width * height) / pieces))));
    const [columns, rows] = [Math.max(1, Math.floor(width / size)), Math.max(1, Math.floor(height / size))];
    const each = Math.max(1, Math.ceil(pieces / (columns * rows)));
    const gap = size > ROOMY ? 1 : 0;
    for (let square = 0; square * each < pieces; square += 1) {
        const first = square * each;
        const last = Math.min(first + each, pieces);
        let here = 0;
        for (let piece = first; piece < last; piece += 1) here += (bits[piece >> 3] >> (7 - (piece & 7))) & 1;
        const [x, y] = [(square % columns) * size, Math.floor(square / columns) * size];
        pen.globalAlpha = 1;
        pen.fillStyle = colour("track");
        pen.fillRect(x, y, size - gap, size - gap);
        if (here === 0) continue;
        pen.globalAlpha = 0.25 + (0.75 * here) / (last - first);
        pen.fillStyle = colour("up");
        pen.fillRect(x, y, size - gap, size - gap);
    }
    pen.globalAlpha = 1;
}
