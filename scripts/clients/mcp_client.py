"""The official MCP client against Loci: python mcp_client.py URL COMMAND... Ends with exit code 0 if all fits.

URL is that of a running `loci serve`; COMMAND is a `loci mcp` that may read files of the folder named last behind --allow,
and shares the server's data folder.
"""

import asyncio
import pathlib
import sys
import time

from mcp import Client, StdioServerParameters

url, command = sys.argv[1], sys.argv[2:]
allowed = pathlib.Path(command[command.index("--allow") + 1])
FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. " * 8
QUESTION = "What is the pass key?"


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")
    print(f"ok: {what}", flush=True)


def said(result):
    return "\n".join(block.text for block in result.content)


async def ask_and_look(client, reading, key, what):
    answer = await client.call_tool("ask", {"reading": reading, "question": QUESTION, "max_tokens": 12})
    found = answer.structured_content
    check(not answer.is_error and key in found["answer"], f"{what}: an answer: {found['answer']!r}")
    check(key in found["evidence"][0]["text"] and key in said(answer), f"{what}: its evidence")
    check(found["timing"]["prefill_tokens"] < 60, f"{what}: the text is not read again")
    evidence = await client.call_tool("evidence", {"reading": reading, "question": QUESTION, "around": 40})
    first = evidence.structured_content["evidence"][0]
    check(key in first["text"] and len(first["surroundings"]) > len(first["text"]), f"{what}: evidence alone")


async def common(client, what):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    check(set(tools) == {"read", "ask", "evidence", "list_readings"}, f"{what}: four tools")
    check(
        all(tool.description and tool.input_schema["type"] == "object" for tool in tools.values()),
        f"{what}: each with its description and schema",
    )
    wrong = await client.call_tool("ask", {"reading": "nothing", "question": QUESTION})
    check(wrong.is_error and "nothing" in said(wrong), f"{what}: an unknown reading: {said(wrong)}")
    wrong = await client.call_tool("ask", {"reading": 1, "questions": QUESTION})
    check(wrong.is_error, f"{what}: wrong arguments: {said(wrong)}")


async def over_http(mode):
    what = f"HTTP, {mode}"
    async with Client(f"{url}/mcp", mode=mode) as client:
        print(f"-- {what}: protocol {client.protocol_version}, {client.server_info}", flush=True)
        await common(client, what)
        steps = []

        async def progress(done, total, message):
            steps.append((done, total, message))

        text = f"{FILLER}The pass key is 71432. Remember it. {FILLER}"
        read = await client.call_tool(
            "read",
            {"documents": [{"name": f"{mode}.txt", "text": text}], "wait_s": 300},
            progress_callback=progress,
        )
        view = read.structured_content
        check(not read.is_error and view["status"] == "ready", f"{what}: a text is read: {said(read)}")
        check(steps and all(done <= total for done, total, _ in steps), f"{what}: {len(steps)} notes of progress")
        listed = await client.call_tool("list_readings", {})
        check(view["id"] in [one["id"] for one in listed.structured_content["readings"]], f"{what}: it is listed")
        await ask_and_look(client, f"{mode}.txt", "71432", what)
        refused = await client.call_tool("read", {"files": ["/etc/passwd"]})
        check(refused.is_error and "--allow" in said(refused), f"{what}: files are refused: {said(refused)}")
        return view["id"]


async def by_pipe(mode, made_by_the_server):
    what = f"pipe, {mode}"
    async with Client(StdioServerParameters(command=command[0], args=command[1:]), mode=mode) as client:
        print(f"-- {what}: protocol {client.protocol_version}, {client.server_info}", flush=True)
        await common(client, what)
        await ask_and_look(client, made_by_the_server, "71432", f"{what}, of the server's reading")
        book = allowed / f"book-{mode}.txt"
        book.write_text(f"{FILLER}The pass key is 90817. Remember it. {FILLER}")
        read = await client.call_tool("read", {"files": [str(book)], "name": f"book {mode}", "wait_s": 0})
        view = read.structured_content
        check(not read.is_error and view["status"] in ("queued", "reading", "ready"), f"{what}: a file: {said(read)}")
        # It is being read: the question waits for it.
        await ask_and_look(client, f"book {mode}", "90817", what)
        outside = await client.call_tool("read", {"files": ["/etc/passwd"]})
        check(outside.is_error and "root:" not in said(outside), f"{what}: other files are refused: {said(outside)}")
        return view["id"]


async def main():
    made = [await over_http(mode) for mode in ("legacy", "auto")]
    made_by_pipe = [await by_pipe(mode, made[0]) for mode in ("legacy", "auto")]
    # The server keeps up with what the other process read.
    async with Client(f"{url}/mcp") as client:
        end = time.time() + 20
        while True:
            listed = (await client.call_tool("list_readings", {})).structured_content["readings"]
            ready = {one["id"] for one in listed if one["status"] == "ready"}
            if set(made + made_by_pipe) <= ready or time.time() > end:
                break
            await asyncio.sleep(0.5)
        check(set(made + made_by_pipe) <= ready, "the server lists what was read by pipe")
        await ask_and_look(client, made_by_pipe[0], "90817", "the server, of the pipe's reading")


asyncio.run(main())
