/** The players, and the map that plays its grains. Without this script the page shows the browser's own players. */

"use strict";

(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const FADE_SECONDS = 0.002;
  const MARGIN = 40, SIZE = 1000; // of the map's drawings, in their units
  const REACH_PIXELS = { mouse: 16, pen: 20, touch: 28 };
  let heard = null; // the player started last

  document.documentElement.classList.add("js");

  /** One sound with its pictures. */
  class Player {
    constructor(card, row) {
      const find = (selector) => card.querySelector(selector);
      Object.assign(this, { card, row, name: card.dataset.name });
      [this.seconds, this.span] = [Number(card.dataset.seconds), Number(card.dataset.span)];
      [this.audio, this.button, this.slider] = [find("audio"), find(".play"), find(".seek")];
      [this.clock, this.problem, this.here] = [find(".clock"), find(".problem"), find(".here")];
      const way = find("polyline.way");
      this.path = way ? [...way.points].map(({ x, y }) => [x, y]) : [];
      this.length = this.clock.textContent;
      this.listen();
    }

    listen() {
      const { audio, button, card, slider } = this;
      button.addEventListener("click", () => {
        button.focus();
        this.toggle();
      });
      card.addEventListener("pointerenter", () => (audio.preload = "auto"), { once: true });
      card.addEventListener("focusin", () => (audio.preload = "auto"), { once: true });
      card.addEventListener("keydown", (event) => this.key(event));
      audio.addEventListener("play", () => this.show(true));
      audio.addEventListener("pause", () => {
        this.show(false);
        if (!audio.ended) this.row.endTurn();
      });
      audio.addEventListener("ended", () => {
        audio.currentTime = 0;
        card.classList.remove("begun");
        this.row.next(this);
      });
      for (const name of ["timeupdate", "seeked"]) audio.addEventListener(name, () => this.draw());
      audio.addEventListener("error", () => this.fail());

      const seek = ({ clientX }) => {
        const { left, width } = slider.getBoundingClientRect();
        this.seek(((clientX - left) / width) * this.span);
      };
      let held = false;
      slider.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        held = true;
        if (event.pointerType !== "mouse") return; // a finger may be about to scroll
        slider.setPointerCapture(event.pointerId);
        seek(event);
        this.play();
      });
      slider.addEventListener("pointermove", (event) => held && seek(event));
      slider.addEventListener("pointerup", (event) => {
        if (held && event.pointerType !== "mouse") {
          seek(event);
          this.play();
        }
        held = false;
      });
      slider.addEventListener("pointercancel", () => (held = false));
    }

    get at() {
      return Math.min(this.audio.currentTime, this.seconds);
    }

    get playing() {
      return !this.audio.paused;
    }

    seek(seconds) {
      this.audio.currentTime = Math.min(Math.max(seconds, 0), Math.max(this.seconds - 0.01, 0));
      this.card.classList.add("begun");
      this.draw();
    }

    play() {
      if (heard && heard !== this) heard.audio.pause();
      heard = this;
      this.audio.play().catch(({ name }) => name !== "AbortError" && this.fail());
    }

    toggle() {
      if (this.playing) this.audio.pause();
      else this.play();
    }

    fail() {
      this.row.endTurn();
      this.problem.textContent = `${this.audio.getAttribute("src")} cannot be played. Is it still beside this page?`;
    }

    key(event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const actions = {
        ArrowLeft: () => this.seek(this.at - this.span / 20),
        ArrowRight: () => this.seek(this.at + this.span / 20),
        ArrowUp: () => beside(this, -1)?.button.focus(),
        ArrowDown: () => beside(this, 1)?.button.focus(),
        c: () => this.row.compare(this),
      };
      if (event.target === this.slider) actions[" "] = actions.Enter = () => this.toggle(); // the button does so by itself
      if (!Object.hasOwn(actions, event.key)) return;
      event.preventDefault();
      actions[event.key]();
    }

    show(playing) {
      this.card.classList.toggle("playing", playing);
      this.button.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${this.name}`);
      if (playing) this.card.classList.add("begun");
      this.draw();
      if (playing && !calm.matches) requestAnimationFrame(() => this.follow());
    }

    follow() {
      if (!this.playing) return;
      this.draw();
      requestAnimationFrame(() => this.follow());
    }

    draw() {
      const { at, card, slider, path, here } = this;
      const begun = card.classList.contains("begun");
      card.style.setProperty("--at", at / this.span);
      this.clock.textContent = begun ? `${at.toFixed(2)} / ${this.length}` : this.length;
      slider.setAttribute("aria-valuenow", at.toFixed(2));
      slider.setAttribute("aria-valuetext", `${at.toFixed(2)} seconds`);
      if (path.length === 0) return;
      const place = (at / this.seconds) * (path.length - 1);
      const before = Math.min(Math.floor(place), path.length - 1);
      const [from, to] = [path[before], path[Math.min(before + 1, path.length - 1)]];
      here.setAttribute("cx", from[0] + (place - before) * (to[0] - from[0]));
      here.setAttribute("cy", from[1] + (place - before) * (to[1] - from[1]));
    }
  }

  /** Sounds beside each other, played in turn or compared at the same position. */
  class Row {
    constructor(element) {
      this.turn = element.querySelector(".turn");
      this.inTurn = false;
      this.players = [...element.querySelectorAll(".sound")].map((card) => new Player(card, this));
      this.turn?.addEventListener("click", () => {
        if (this.inTurn) return heard.audio.pause();
        const [first] = this.players;
        first.seek(0);
        first.play();
        this.setTurn(true);
      });
      element.querySelector(".compare")?.addEventListener("click", () => {
        if (this.players.includes(heard)) this.compare(heard);
        else this.players[0].play();
      });
    }

    setTurn(inTurn) {
      if (!this.turn) return;
      this.inTurn = inTurn;
      this.turn.setAttribute("aria-pressed", inTurn);
      this.turn.textContent = inTurn ? "Stop" : "Play in turn";
    }

    endTurn() {
      if (this.inTurn) this.setTurn(false);
    }

    /** Called when a sound has ended. */
    next(player) {
      if (!this.inTurn) return;
      const following = this.players[this.players.indexOf(player) + 1];
      if (!following) return this.endTurn();
      following.seek(0);
      following.play();
    }

    /** Switch to the next sound, at the position of this one. */
    compare(player) {
      if (this.players.length < 2) return;
      const from = this.players.includes(heard) ? heard : player;
      const to = this.players[(this.players.indexOf(from) + 1) % this.players.length];
      const { at } = from;
      to.seek(at < to.seconds ? at : 0);
      to.play();
      from.card.classList.remove("begun");
      from.draw();
      if (from.card.contains(document.activeElement)) to.button.focus();
    }
  }

  const rows = [...document.querySelectorAll(".row")].map((element) => new Row(element));
  const players = rows.flatMap((row) => row.players);

  const level = document.querySelector("#level");
  level.addEventListener("click", () => {
    const one = level.getAttribute("aria-pressed") === "false";
    level.setAttribute("aria-pressed", one);
    for (const { audio, card } of players) audio.volume = one ? Number(card.dataset.gain) : 1;
  });

  function beside(player, step) {
    return players[players.indexOf(player) + step];
  }

  /** The latent map. The page has its drawing; this finds the grains and plays them. */
  class LatentMap {
    constructor(data) {
      const find = (id) => document.getElementById(id);
      Object.assign(this, { data, hidden: new Set(), chosen: -1, places: data.x.map((x, i) => [x * SIZE, SIZE - data.y[i] * SIZE]) });
      [this.plot, this.mark, this.tip, this.says] = ["map-plot", "map-mark", "map-tip", "map-says"].map(find);
      this.svg = this.plot.querySelector("svg");
      const { plot } = this;
      for (const name of ["pointerenter", "focus"]) plot.addEventListener(name, () => this.decode(), { once: true });
      plot.addEventListener("pointermove", (event) => {
        if (event.pointerType === "touch") return;
        const before = this.chosen;
        this.choose(this.nearest(event));
        if (event.buttons === 1 && this.chosen !== before) this.play(); // dragged across grains
      });
      plot.addEventListener("pointerleave", ({ pointerType }) => pointerType !== "touch" && this.choose(-1));
      plot.addEventListener("pointerdown", (event) => event.pointerType === "mouse" && event.button === 0 && this.tap(event));
      plot.addEventListener("click", (event) => event.pointerType !== "mouse" && this.tap(event));
      plot.addEventListener("keydown", (event) => this.key(event));
      plot.addEventListener("blur", () => this.choose(-1));
      for (const button of document.querySelectorAll(".legend button")) this.legend(button);
    }

    legend(button) {
      const { class: number, path } = button.dataset;
      const selector = number === undefined ? `[data-path="${path}"]` : `[data-class="${number}"]`;
      const shapes = this.svg.querySelectorAll(`g${selector}`);
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", shown);
        for (const shape of shapes) shape.classList.toggle("off", !shown);
        if (number === undefined) return;
        if (shown) this.hidden.delete(Number(number));
        else this.hidden.add(Number(number));
        this.choose(-1);
      });
      if (number === undefined) return;
      const others = [...this.svg.querySelectorAll("g[data-class]")].filter((shape) => shape.dataset.class !== number);
      const dim = (on) => others.forEach((shape) => shape.classList.toggle("dim", on && button.getAttribute("aria-pressed") === "true"));
      button.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && dim(true));
      button.addEventListener("pointerleave", () => dim(false));
      button.addEventListener("click", () => dim(false));
    }

    /** Indices of the grains whose class is shown. */
    shown() {
      return this.data.labels.flatMap((label, index) => (this.hidden.has(label) ? [] : [index]));
    }

    scale() {
      const { left, top, width } = this.svg.getBoundingClientRect();
      return { left, top, unit: width / (SIZE + 2 * MARGIN) };
    }

    /** The grain nearest to the pointer, within its reach; -1 if there is none. */
    nearest({ clientX, clientY, pointerType }) {
      const { left, top, unit } = this.scale();
      const [x, y] = [(clientX - left) / unit - MARGIN, (clientY - top) / unit - MARGIN];
      const distance = (index) => Math.hypot(this.places[index][0] - x, this.places[index][1] - y);
      const found = least(this.shown(), distance);
      return found >= 0 && distance(found) * unit <= (REACH_PIXELS[pointerType] ?? REACH_PIXELS.touch) ? found : -1;
    }

    /** The nearest grain in a direction from the chosen one; the one nearest to the middle if none is chosen. */
    towards(right, down) {
      const shown = this.shown();
      if (this.chosen < 0) return least(shown, (index) => Math.hypot(...this.places[index].map((place) => place - SIZE / 2)));
      const [x, y] = this.places[this.chosen];
      const distance = (index) => {
        const [across, along] = [this.places[index][0] - x, this.places[index][1] - y];
        const [ahead, aside] = [across * right + along * down, Math.abs(across * down) + Math.abs(along * right)];
        return ahead > 0 && aside <= ahead ? ahead + 2 * aside : Infinity;
      };
      return least(shown, distance);
    }

    describe(index) {
      const { classes, labels, files, owners, times } = this.data;
      return [classes[labels[index]] ?? "unknown", files[owners[index]] ?? "unknown file", `${times[index].toFixed(2)} s`].join(", ");
    }

    choose(index) {
      this.chosen = index;
      this.mark.classList.toggle("off", index < 0);
      this.tip.hidden = index < 0;
      if (index < 0) return;
      const [x, y] = this.places[index];
      this.mark.setAttribute("cx", x);
      this.mark.setAttribute("cy", y);
      this.tip.textContent = this.describe(index);
      const share = (place) => (100 * (place + MARGIN)) / (SIZE + 2 * MARGIN);
      this.tip.style.left = `${share(x)}%`;
      this.tip.style.top = `${share(y)}%`;
      this.tip.style.transform = `translate(${x > SIZE / 2 ? "calc(-100% - 14px)" : "14px"}, ${y > SIZE / 2 ? "-100%" : "0"})`;
    }

    tap(event) {
      this.choose(this.nearest(event));
      if (this.chosen >= 0) this.play();
    }

    key(event) {
      const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (Object.hasOwn(directions, event.key)) {
        const found = this.towards(...directions[event.key]);
        if (found >= 0) this.choose(found);
      } else if (event.key === " " || event.key === "Enter") {
        if (this.chosen >= 0) this.play();
      } else return;
      event.preventDefault();
      if (this.chosen >= 0) this.says.textContent = this.describe(this.chosen);
    }

    /** The audio context and the recording of all grains, decoded once. */
    decode() {
      this.decoded ??= (async () => {
        const context = new AudioContext();
        const bytes = Uint8Array.from(atob(this.data.grains), (letter) => letter.charCodeAt(0));
        return { context, recording: await context.decodeAudioData(bytes.buffer) };
      })();
      this.decoded.catch(() => { this.decoded = undefined; });
      return this.decoded;
    }

    async play() {
      const index = this.chosen, seconds = this.data.grainSeconds;
      heard?.audio.pause();
      this.says.textContent = this.describe(index);
      try {
        const { context, recording } = await this.decode();
        await context.resume();
        const source = new AudioBufferSourceNode(context, { buffer: recording }), fade = new GainNode(context, { gain: 0 });
        const start = context.currentTime, end = start + seconds;
        fade.gain.setValueAtTime(0, start).linearRampToValueAtTime(1, start + FADE_SECONDS);
        fade.gain.setValueAtTime(1, end - FADE_SECONDS).linearRampToValueAtTime(0, end);
        source.connect(fade).connect(context.destination);
        source.start(start, index * seconds, seconds);
        this.mark.classList.add("sounding");
        this.latest = source;
        source.onended = () => this.latest === source && this.mark.classList.remove("sounding");
      } catch (error) {
        this.says.textContent = `This browser cannot play the grains: ${error.message}`;
      }
    }
  }

  function least(indices, measure) {
    let [found, smallest] = [-1, Infinity];
    for (const index of indices) {
      const value = measure(index);
      if (value < smallest) [found, smallest] = [index, value];
    }
    return found;
  }

  if (globalThis.ngsMap) new LatentMap(globalThis.ngsMap);
})();
