// Mouse, wheel, trackpad and touch on the lanes.

/**
 * @typedef {object} Actions
 * @property {(dx: number, dy: number) => void} pan  pixels towards later time and lower lanes
 * @property {(factor: number, x: number) => void} zoom
 * @property {(x: number, y: number) => void} hover
 * @property {() => void} leave
 * @property {(x: number, y: number) => void} choose
 */

/** A pointer that moves less has pressed, not dragged. */
const SLACK = 4;
const LINE = 16;

/** @param {HTMLElement} plot @param {Actions} actions @param {AbortSignal} signal */
export function listen(plot, actions, signal) {
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let moved = false;
  const at = (/** @type {MouseEvent} */ event) => {
    const box = plot.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  plot.addEventListener(
    "wheel",
    (event) => {
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1;
      const [dx, dy] = event.shiftKey && !event.deltaX ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
      // A pinch on a trackpad arrives as a wheel with the control key.
      if (event.ctrlKey || event.metaKey) actions.zoom(Math.exp(-dy * unit * 0.006), at(event).x);
      else if (Math.abs(dx) > Math.abs(dy)) actions.pan(dx * unit, 0);
      else return;
      event.preventDefault();
    },
    { signal, passive: false },
  );

  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (down.size === 0) moved = false;
    down.set(event.pointerId, at(event));
  }, { signal });

  plot.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    const here = at(event);
    if (!before) return actions.hover(here.x, here.y);
    if (!moved && Math.hypot(here.x - before.x, here.y - before.y) < SLACK) return;
    if (!moved) plot.setPointerCapture(event.pointerId);
    moved = true;
    actions.leave();
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
    if (other) pinch(before, here, other);
    // One finger scrolls the lanes by the browser's own scrolling, which goes on when it is lifted.
    else actions.pan(before.x - here.x, event.pointerType === "touch" ? 0 : before.y - here.y);
    down.set(event.pointerId, here);
  }, { signal });

  /** @param {{x: number, y: number}} before @param {{x: number, y: number}} here @param {{x: number, y: number}} other */
  function pinch(before, here, other) {
    const was = Math.max(24, Math.abs(before.x - other.x));
    const is = Math.max(24, Math.abs(here.x - other.x));
    actions.zoom(is / was, (here.x + other.x) / 2);
  }

  const up = (/** @type {PointerEvent} */ event) => {
    if (!down.delete(event.pointerId) || moved || event.type !== "pointerup") return;
    const { x, y } = at(event);
    actions.choose(x, y);
  };
  plot.addEventListener("pointerup", up, { signal });
  plot.addEventListener("pointercancel", up, { signal });
  plot.addEventListener("pointerleave", () => actions.leave(), { signal });
}
