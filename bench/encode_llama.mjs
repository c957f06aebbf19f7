// The speed of llama.cpp, as `ernie bench encode` measures ours:
//
//     encode_llama.mjs MODEL.gguf texts|query FILE THREADS [REPEATS]
//
// Prints the version, a tab, and tokens a second or the median time of a query in ms, as
// encode_peer.py does. Texts are tokenized beforehand and embedded one after another:
// node-llama-cpp has no call that embeds several at once. Needs node-llama-cpp, in
// NODE_LLAMA_CPP (its folder) or where node finds it.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const N_QUERIES = 200;
const [path, workload, file, threads, repeats] = process.argv.slice(2);
const from = process.env.NODE_LLAMA_CPP;
const { getLlama } = await import(from ? pathToFileURL(from + "/dist/index.js") : "node-llama-cpp");
const llama = await getLlama({ gpu: false, build: "never", maxThreads: Number(threads), logLevel: "error" });
const model = await llama.loadModel({ modelPath: path });
const context = await model.createEmbeddingContext({ contextSize: 512, batchSize: 512, threads: Number(threads) });
let texts = readFileSync(file, "utf8").split("\n").filter((text) => text !== "");
if (workload === "query")
    texts = texts.slice(0, 1);
// [CLS] and [SEP] come with getEmbeddingFor, which takes one token less than the model.
const sequences = texts.map((text) => model.tokenize(text).slice(0, 509));
const tokens = sequences.reduce((sum, sequence) => sum + sequence.length + 2, 0);

async function medianSeconds(warming, rounds) {
    const seconds = [];
    for (let i = 0; i < warming + rounds; i++) {
        const start = performance.now();
        for (const sequence of sequences)
            await context.getEmbeddingFor(sequence);
        seconds.push((performance.now() - start) / 1e3);
    }
    return seconds.slice(warming).sort((a, b) => a - b)[Math.floor(rounds / 2)];
}

const version = llama.llamaCppRelease.release;
if (workload === "query") {
    console.log(`${version}\t${((await medianSeconds(N_QUERIES / 10, N_QUERIES)) * 1e3).toFixed(4)}`);
} else {
    console.log(`${version}\t${(tokens / (await medianSeconds(1, Number(repeats ?? 3)))).toFixed(1)}`);
}
process.exit(0);
