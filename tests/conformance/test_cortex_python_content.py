"""Managed content, with the Python client (fabric-api section 3)."""

import io

import pytest
from requests.exceptions import HTTPError

from contract import covers

ODD_KEYS = ["a b.txt", "ünï/cødé.txt", "a+b&c=d;e,f@g.txt", "q'(1)*!.txt", "deep/er/and/deeper/still.txt"]


def content_of(cortex, key: str) -> bytes:
    return cortex.content.download(key).read()


@covers("content: upload, form", "content: download")
def test_a_form_is_stored_under_its_key(cortex, name):
    stored = cortex.content.upload(f"{name}/report.csv", "anything.csv", io.BytesIO(b"a,b\n1,2\n"), "text/csv")
    assert stored["Key"] == f"{name}/report.csv"
    assert content_of(cortex, f"{name}/report.csv") == b"a,b\n1,2\n"
    (listed,) = cortex.content.list(name)
    assert listed["ContentType"] == "text/csv"


@covers("content: upload, stream", "content: download")
def test_a_stream_of_unknown_length_is_stored(cortex, name):
    blocks = [bytes([n]) * 70_000 for n in range(5)]
    cortex.content.upload_streaming(f"{name}/blocks", iter(blocks), "application/x-blocks")
    assert content_of(cortex, f"{name}/blocks") == b"".join(blocks)


@covers("content: upload, stream")
def test_a_file_is_stored_with_the_usual_content_type(cortex, name, tmp_path):
    (tmp_path / "f").write_bytes(b"\x00\xff" * 100_000)
    with (tmp_path / "f").open("rb") as file:
        cortex.content.upload_streaming(f"/{name}/file", file)
    assert content_of(cortex, f"{name}/file") == b"\x00\xff" * 100_000
    (listed,) = cortex.content.list(name)
    assert listed["ContentType"] == "application/octet-stream"


@covers("content: upload, stream")
def test_an_empty_stream_is_content_too(cortex, name):
    cortex.content.upload_streaming(f"{name}/empty", io.BytesIO(b""))
    assert cortex.content.exists(f"{name}/empty")
    assert content_of(cortex, f"{name}/empty") == b""


@covers("content: upload, stream")
def test_what_is_there_is_replaced(cortex, name):
    for text in [b"a long first version", b"second"]:
        cortex.content.upload_streaming(f"{name}/twice", io.BytesIO(text))
    assert content_of(cortex, f"{name}/twice") == b"second"
    assert [found["Size"] for found in cortex.content.list(name)] == [6]


@covers("content: upload, directory")
def test_a_folder_is_stored_without_dot_files(cortex, name, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "top.txt").write_text("top")
    (tmp_path / "sub" / "low.txt").write_text("low")
    (tmp_path / ".hidden").write_text("hidden")
    answers = cortex.content.upload_directory(str(tmp_path), name)
    assert len(answers) == 2
    assert {found["Key"] for found in cortex.content.list(name)} == {f"{name}/top.txt", f"{name}/sub/low.txt"}


@covers("content: upload, stream", "content: download", "content: exists", "content: delete")
@pytest.mark.parametrize("odd", ODD_KEYS)
def test_keys_are_what_was_given(cortex, name, odd):
    key = f"{name}/{odd}"
    cortex.content.upload_streaming(key, io.BytesIO(odd.encode()))
    assert [found["Key"] for found in cortex.content.list(name)] == [key]
    assert cortex.content.exists(key)
    assert content_of(cortex, key) == odd.encode()
    cortex.content.delete(key)
    assert not cortex.content.exists(key)


@covers("content: exists", "content: delete")
def test_what_is_deleted_is_gone(cortex, name):
    cortex.content.upload_streaming(f"{name}/gone", io.BytesIO(b"x"))
    assert cortex.content.delete(f"{name}/gone")["success"] is True
    assert cortex.content.exists(f"{name}/gone") is False
    with pytest.raises(HTTPError) as refused:
        cortex.content.download(f"{name}/gone")
    assert refused.value.response.status_code == 404
    assert refused.value.response.json()["success"] is False
    with pytest.raises(HTTPError) as refused:
        cortex.content.delete(f"{name}/gone")
    assert refused.value.response.status_code == 404


@covers("content: list")
def test_a_list_is_an_array_in_the_order_of_keys(cortex, name):
    for key in ["b", "a", "c/d"]:
        cortex.content.upload_streaming(f"{name}/{key}", io.BytesIO(b"12345"))
    listed = cortex.content.list(f"{name}/")
    assert [found["Key"] for found in listed] == [f"{name}/a", f"{name}/b", f"{name}/c/d"]
    for found in listed:
        assert found["Size"] == 5
        assert found["LastModified"].endswith("Z")
    assert [found["Key"] for found in cortex.content.list(f"{name}/", limit=1, skip=1)] == [f"{name}/b"]
    assert cortex.content.list(f"{name}/nothing") == []
