"use strict";
// Readings under the pointer, taken from the curves themselves. The report says
// everything else without a script.
(() => {
	const heights = path => {
		const [start, steps] = path.getAttribute("d").split("V")[0].slice(1).split("l");
		let y = Number(start.split(" ")[1]);
		const all = [y];
		(steps.match(/-?\d+/g) || []).forEach((n, i) => { if (i % 2) all.push(y += Number(n)); });
		return all;
	};
	const curves = svg => svg.curves ||= [...svg.querySelectorAll("path[data-name]")].map(path => ({
		name: path.dataset.name, area: path.classList.contains("area"), heights: heights(path),
	}));
	const short = v => v.toFixed(Math.min(2, Math.max(0, 2 - Math.floor(Math.log10(Math.max(v, 1))))));
	const clear = box => box.querySelectorAll(".cursor, .reading").forEach(e => e.remove());
	const mark = (svg, i) => {
		const box = svg.parentElement, all = curves(svg), max = Number(svg.dataset.max);
		clear(box);
		const height = c => c.heights[Math.min(i, c.heights.length - 1)];
		const value = c => max * (1 - height(c) / 1000);
		const text = [`${short(i * svg.dataset.step)} s`];
		all.forEach((c, k) => {
			const below = c.area ? all.slice(k + 1).find(o => o.area) : undefined;
			const cut = height(c) === 0 && !(below && height(below) === 0) ? "≥ " : ""; // the curve goes on above
			text.push(`${c.name} ${cut}${short(Math.max(0, value(c) - (below ? value(below) : 0)))}`);
		});
		const left = svg.offsetLeft || svg.getBoundingClientRect().left - box.getBoundingClientRect().left;
		const x = left + svg.getBoundingClientRect().width * i / svg.viewBox.baseVal.width;
		const cursor = document.createElement("div"), reading = document.createElement("div");
		cursor.className = "cursor";
		cursor.style.left = `${x}px`;
		reading.className = "reading";
		reading.textContent = text.join("\n");
		reading.style[i * 2 > svg.viewBox.baseVal.width ? "right" : "left"] =
			i * 2 > svg.viewBox.baseVal.width ? `${box.clientWidth - x + 6}px` : `${x + 6}px`;
		box.append(cursor, reading);
	};
	document.querySelectorAll(".axes svg").forEach(svg => {
		const group = svg.closest(".plots");
		svg.addEventListener("pointermove", event => {
			const at = svg.getBoundingClientRect(), width = svg.viewBox.baseVal.width;
			const i = Math.round(Math.min(1, Math.max(0, (event.clientX - at.left) / at.width)) * width);
			group.querySelectorAll(".axes svg").forEach(other => mark(other, i));
		});
		svg.addEventListener("pointerleave", () => group.querySelectorAll(".axes").forEach(clear));
	});
	const open = () => {
		const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
		if (target instanceof HTMLDetailsElement) { target.open = true; target.scrollIntoView(); }
	};
	addEventListener("hashchange", open);
	open();
})();
