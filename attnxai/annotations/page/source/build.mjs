/** Bundle the sources of this folder into ../page.js, which states what it was made of. */

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { build } from "esbuild";

const LIBRARIES = ["konva", "fflate"];
const read = (name) => readFileSync(new URL(name, import.meta.url), "utf8").replaceAll("\r\n", "\n");

const sources = readdirSync(new URL(".", import.meta.url)).filter((name) => /\.(m?js|json)$/.test(name)).sort();
const digest = createHash("sha256");
for (const name of sources) digest.update(`${name}\n${read(name)}\n`);
const versions = LIBRARIES.map((name) => `${name} ${JSON.parse(read(`node_modules/${name}/package.json`)).version}`);
const licences = LIBRARIES.map((name) => `${name}\n\n${read(`node_modules/${name}/LICENSE`).trim()}`);

await build({
  entryPoints: ["main.js"],
  absWorkingDir: new URL(".", import.meta.url).pathname,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022", "chrome105", "firefox110", "safari16"],
  charset: "ascii",
  legalComments: "none",
  outfile: process.argv[2] ?? "../page.js",
  banner: {
    js: `/*! Annotation page of attnxai, with ${versions.join(" and ")}\nsources sha256 ${digest.digest("hex")}\n\n${licences.join("\n\n")}\n*/`,
  },
  plugins: [{
    // the page forbids to set markup (Trusted Types); Konva empties an element in this way
    name: "no-markup",
    setup({ onLoad }) {
      onLoad({ filter: /konva[\\/]lib[\\/]Stage\.js$/ }, ({ path }) => {
        const before = readFileSync(path, "utf8"), after = before.replace(".innerHTML = ''", ".textContent = ''");
        if (after === before) throw new Error("Konva's Stage has changed: see build.mjs");
        return { contents: after, loader: "js" };
      });
    },
  }],
});
