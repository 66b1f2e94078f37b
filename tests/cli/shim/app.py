"""An app whose API hosts are hard-coded, in the ways in which apps call: each makes a contact in the CRM and says whose."""

import asyncio
import http.client
import json
import urllib.request

URL = "https://api.hubapi.com/crm/v3/objects/contacts"
HEADERS = {"content-type": "application/json", "authorization": "Bearer t"}


def body(email):
    return json.dumps({"properties": {"email": email}})


def said(way, email, status):
    assert status == 201, f"{way}: {status}"
    print(way)
    print(f"made {email}")


connection = http.client.HTTPSConnection("api.hubapi.com")
for email in ("http.client@example.com", "kept@example.com"):
    connection.request("POST", "/crm/v3/objects/contacts", body(email), HEADERS)
    answer = connection.getresponse()
    answer.read()
    said("http.client", email, answer.status)

asked = urllib.request.Request(URL, body("urllib@example.com").encode(), HEADERS)
with urllib.request.urlopen(asked) as answer:
    said("urllib", "urllib@example.com", answer.status)


async def streamed():
    text = body("asyncio@example.com")
    reader, writer = await asyncio.open_connection("api.hubapi.com", 443, ssl=True)
    head = f"POST /crm/v3/objects/contacts HTTP/1.1\r\nhost: api.hubapi.com\r\nauthorization: Bearer t\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n"
    writer.write((head + text).encode())
    await writer.drain()
    line = await reader.readline()
    await reader.read()
    writer.close()
    said("asyncio", "asyncio@example.com", int(line.split()[1]))


asyncio.run(streamed())

try:
    import httpx
    import requests
    import stripe
    import urllib3
except ImportError:
    pass
else:
    answer = urllib3.PoolManager().request("POST", URL, body=body("urllib3@example.com"), headers=HEADERS)
    said("urllib3", "urllib3@example.com", answer.status)
    session = requests.Session()
    for email in ("requests@example.com", "session@example.com"):
        said("requests", email, session.post(URL, data=body(email), headers=HEADERS).status_code)
    said("httpx", "httpx@example.com", httpx.post(URL, content=body("httpx@example.com"), headers=HEADERS).status_code)

    async def several():
        async with httpx.AsyncClient() as client:
            for email in ("httpx-async@example.com", "httpx-kept@example.com"):
                said("httpx async", email, (await client.post(URL, content=body(email), headers=HEADERS)).status_code)

    asyncio.run(several())
    stripe.api_key = "sk_test_of_nobody"
    stripe.max_network_retries = 0
    assert stripe.Event.list(limit=1).object == "list"
    print("official stripe")

try:
    urllib.request.urlopen("https://not-listed.invalid/")
except OSError as error:
    print(f"other host: {error}")
