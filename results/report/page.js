// Sorting, filtering and the charts. Without it the page still holds every number.
"use strict";
(() => {
  const source = document.getElementById("charts");
  const { config, figures } = JSON.parse(source.textContent);
  const narrowBelow = Number(source.dataset.narrowBelow);
  const views = new Map(); // key of a chart -> its Vega view, once it is drawn

  // --- tables -------------------------------------------------------------------------------

  // the column decides: among words, such as ids, some look like numbers
  const keyOf = (cell, isNumber) => {
    const key = cell.dataset.key;
    if (key === undefined || (isNumber && Number.isNaN(Number(key)))) return null;
    return isNumber ? Number(key) : key;
  };

  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null); // unknown comes last
    if (typeof a === "number") return sign * (a - b);
    return sign * a.localeCompare(b, undefined, { numeric: true });
  };

  const sort = (table, column) => {
    const headings = [...table.tHead.rows[0].cells];
    const heading = headings[column];
    const isNumber = heading.classList.contains("number");
    const first = isNumber ? "descending" : "ascending";
    const second = isNumber ? "ascending" : "descending";
    const direction = heading.getAttribute("aria-sort") === first ? second : first;
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const key = (row) => keyOf(row.cells[column], isNumber);
    [...body.rows]
      .sort((a, b) => compare(key(a), key(b), sign))
      .forEach((row) => body.append(row));
  };

  for (const table of document.querySelectorAll("table")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      heading.querySelector("button").addEventListener("click", () => sort(table, column));
    });
  }

  const filter = document.getElementById("filter");
  const count = document.getElementById("count");
  const comparison = document.getElementById("comparison");
  const filterRows = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...comparison.tBodies[0].rows];
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const left = rows.filter((row) => !row.hidden).length;
    count.textContent = words.length ? `${left} of ${rows.length}` : "";
  };
  filter?.addEventListener("input", filterRows); // a page of ladders alone has no such table

  // --- charts -------------------------------------------------------------------------------

  const layout = () => {
    return document.documentElement.clientWidth < narrowBelow ? "narrow" : "wide";
  };

  const picks = (section) => {
    if (section.dataset.picks === "chosen") {
      return { chosen: section.querySelector("select").value };
    }
    const boxes = [...section.querySelectorAll(".models input")];
    return boxes.length ? { shown: boxes.filter((box) => box.checked).map((box) => box.value) } : {};
  };

  // of the models that are shown a chart knows those that it draws
  const apply = (key, { chosen, shown }) => {
    const view = views.get(key);
    for (const { name, value } of figures[key][layout()].params ?? []) {
      if (name === "chosen") view.signal(name, chosen);
      if (name === "shown") view.signal(name, value.filter((each) => shown.includes(each)));
    }
    return view.runAsync();
  };

  const draw = async (element) => {
    const key = element.dataset.chart;
    const options = { config, renderer: "svg", actions: false, tooltip: { theme: "custom" } };
    const { datasets, [layout()]: specification } = figures[key];
    element.dataset.layout = layout();
    delete element.dataset.ready;
    const result = await vegaEmbed(element, { ...specification, datasets }, options);
    views.get(key)?.finalize();
    views.set(key, result.view);
    await apply(key, picks(element.closest("section")));
    element.dataset.ready = "yes";
  };

  const fail = (element) => (error) => {
    element.textContent = `This chart could not be drawn: ${error.message}`;
    console.error(error);
  };

  const drawVisible = () => {
    const visible = [...document.querySelectorAll(".chart")].filter(
      (element) => !element.closest("[hidden]") && element.dataset.layout !== layout(),
    );
    return Promise.all(visible.map((element) => draw(element).catch(fail(element))));
  };

  for (const section of document.querySelectorAll("section[data-picks]")) {
    section.addEventListener("change", (event) => {
      if (event.target.type === "radio") {
        for (const figure of section.querySelectorAll("figure")) {
          figure.hidden = figure.id !== event.target.value;
        }
        drawVisible();
        return;
      }
      const values = picks(section);
      for (const picture of section.querySelectorAll(".pictures")) {
        picture.hidden = picture.dataset.series !== values.chosen;
      }
      for (const element of section.querySelectorAll(".chart")) {
        if (views.has(element.dataset.chart)) apply(element.dataset.chart, values);
      }
    });
  }

  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(drawVisible, 150);
  });

  // --- dark or light ------------------------------------------------------------------------

  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  });

  drawVisible().then(() => {
    document.documentElement.dataset.ready = "yes"; // all that is visible is drawn
  });
})();
