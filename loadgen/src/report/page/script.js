// Makes the columns' own titles a tooltip with a cursor, by pointer and by arrow keys.
for (const svg of document.querySelectorAll("svg.chart")) {
  const spots = [...svg.querySelectorAll(".hot")];
  if (spots.length === 0) continue;
  const words = spots.map((spot) => {
    const title = spot.querySelector("title");
    title.remove();
    return title.textContent;
  });
  const figure = svg.closest("figure");
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "status");
  figure.append(tip);
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
  cursor.setAttribute("class", "cursor");
  svg.append(cursor);
  let shown = -1;
  const hide = () => {
    shown = -1;
    tip.hidden = true;
    cursor.removeAttribute("d");
  };
  const show = (index) => {
    const spot = spots[index];
    if (!spot) return;
    shown = index;
    tip.textContent = words[index];
    tip.hidden = false;
    const box = spot.getBBox();
    cursor.setAttribute("d", `M${spot.dataset.x} ${box.y}v${box.height}`);
    const outer = figure.getBoundingClientRect();
    const inner = svg.getBoundingClientRect();
    const scale = inner.width / svg.viewBox.baseVal.width;
    const x = inner.left - outer.left + spot.dataset.x * scale;
    const right = x + 12 + tip.offsetWidth < outer.width;
    tip.style.left = `${right ? x + 12 : Math.max(0, x - 12 - tip.offsetWidth)}px`;
    tip.style.top = `${inner.top - outer.top + (box.y + 8) * scale}px`;
  };
  svg.tabIndex = 0;
  svg.addEventListener("pointermove", (event) => show(spots.indexOf(event.target)));
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    show(Math.min(spots.length - 1, Math.max(0, shown < 0 ? 0 : shown + step)));
  });
}
