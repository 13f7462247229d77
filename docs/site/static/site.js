// A slider shows one of the pictures that were drawn beforehand; the others go back to the start.
function move(frames, chosen, place) {
  for (const slider of frames.querySelectorAll("input")) {
    const at = slider === chosen ? place : Number(slider.dataset.start);
    const value = JSON.parse(slider.dataset.values)[at];
    slider.value = at;
    slider.setAttribute("aria-valuetext", value);
    slider.nextElementSibling.textContent = value;
  }
  const picture = frames.querySelector("img");
  const name = frames.querySelector(`label[for="${chosen.id}"]`).textContent;
  picture.src = `${frames.dataset.folder}/${JSON.parse(chosen.dataset.files)[place]}`;
  picture.alt = `With ${name} = ${JSON.parse(chosen.dataset.values)[place]}. At the start: ${picture.dataset.alt}`;
}

document.addEventListener("DOMContentLoaded", () => {
  for (const frames of document.querySelectorAll(".frames")) {
    const sliders = [...frames.querySelectorAll("input")];
    for (const slider of sliders) {
      slider.addEventListener("input", () => move(frames, slider, Number(slider.value)));
      slider.value = slider.dataset.start; // some browsers remember where it was
    }
    const early = () => {
      for (const slider of sliders) {
        for (const file of JSON.parse(slider.dataset.files)) {
          new Image().src = `${frames.dataset.folder}/${file}`;
        }
      }
    };
    frames.addEventListener("pointerenter", early, { once: true });
    frames.addEventListener("focusin", early, { once: true });
  }
});

// A formula that is wider than the page can be scrolled, with the keyboard, too.
async function reachable() {
  await window.MathJax?.startup?.promise;
  for (const formula of document.querySelectorAll("mjx-container[display]")) {
    formula.tabIndex = formula.scrollWidth > formula.clientWidth ? 0 : -1;
  }
  for (const formula of document.querySelectorAll("mjx-container:not([display])")) {
    const room = formula.closest("p, li, td, dd, figcaption")?.clientWidth ?? Infinity;
    formula.classList.toggle("wide", formula.scrollWidth > room);
  }
  for (const button of document.querySelectorAll(".copybtn")) button.ariaLabel = "Copy the code";
}
window.addEventListener("load", reachable);
window.addEventListener("resize", reachable);

// What a link leads to may be behind folds.
function opened() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folds = [target?.querySelector(":scope > details"), target?.closest("details")];
  for (let fold of folds) {
    for (; fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }
  if (folds.some(Boolean)) target.scrollIntoView();
}
window.addEventListener("load", opened);
window.addEventListener("hashchange", opened);
