"""A vendor's way with grpcio: metadata, upload, download, ranges, refusals."""

import hashlib
import sys

import grpc
from octroi.v1 import access_pb2, access_pb2_grpc, dataset_pb2, dataset_pb2_grpc, object_pb2, object_pb2_grpc
from octroi.v1 import principal_pb2, principal_pb2_grpc

port, ca, certificate, key = sys.argv[1:]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def refused(code, call):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, (error.code(), error.details())
        assert error.details(), "a refusal says what to do"
        return
    raise AssertionError("should have been refused")


credentials = grpc.ssl_channel_credentials(read(ca), read(key), read(certificate))
channel = grpc.secure_channel(f"localhost:{port}", credentials)
datasets = dataset_pb2_grpc.DatasetServiceStub(channel)
objects = object_pb2_grpc.ObjectServiceStub(channel)
access = access_pb2_grpc.AccessServiceStub(channel)
principals = principal_pb2_grpc.PrincipalServiceStub(channel)

who = principals.WhoAmI(principal_pb2.WhoAmIRequest())
assert (who.name, who.role, who.credential) == ("voltaic", principal_pb2.ROLE_VENDOR, "certificate"), who

shown = datasets.Get(dataset_pb2.GetDatasetRequest(id="climate"))
assert shown.description.level == dataset_pb2.LEVEL_QUASI_SENSITIVE
assert [it.description.id for it in datasets.List(dataset_pb2.ListDatasetsRequest()).datasets] == ["climate"]

answer = objects.Get(object_pb2.GetObjectRequest(dataset="climate", key="a.csv"))
head = next(answer).head
assert head.notice.scope == "network planning", head
body = b"".join(part.data for part in answer)
assert len(body) == 3_000_000 and hashlib.sha256(body).digest() == head.object.sha256

part = objects.Get(object_pb2.GetObjectRequest(dataset="climate", key="a.csv", offset=2_999_990, length=100))
next(part)
assert b"".join(it.data for it in part) == b"\x07" * 10


def upload(key, chunks, **head):
    yield object_pb2.PutObjectRequest(head=object_pb2.PutObjectHead(dataset="climate", key=key, **head))
    for chunk in chunks:
        yield object_pb2.PutObjectRequest(data=chunk)


stored = objects.Put(upload("b.bin", [b"a" * 1_000_000, b"b" * 500_000], media_type="application/x-test", length=1_500_000))
assert (stored.length, stored.version, stored.media_type) == (1_500_000, 1, "application/x-test")
again = objects.Put(upload("b.bin", [b"c"], if_version=1))
assert again.version == 2
refused(grpc.StatusCode.ABORTED, lambda: objects.Put(upload("b.bin", [b"d"], if_version=1)))
refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: objects.Put(upload("c.bin", [b"d"], length=2)))
refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: objects.Put(upload("../c", [b"d"])))
refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: objects.Put(iter([object_pb2.PutObjectRequest(data=b"no head")])))
refused(grpc.StatusCode.NOT_FOUND, lambda: objects.Head(object_pb2.HeadObjectRequest(dataset="climate", key="c.bin")))
refused(grpc.StatusCode.NOT_FOUND, lambda: list(objects.Get(object_pb2.GetObjectRequest(dataset="nowhere", key="a"))))
past = object_pb2.GetObjectRequest(dataset="climate", key="a.csv", offset=3_000_000)
refused(grpc.StatusCode.OUT_OF_RANGE, lambda: list(objects.Get(past)))
refused(grpc.StatusCode.PERMISSION_DENIED, lambda: objects.Delete(object_pb2.DeleteObjectRequest(dataset="climate", key="b.bin")))
refused(grpc.StatusCode.PERMISSION_DENIED, lambda: datasets.Publish(dataset_pb2.PublishDatasetRequest(id="climate")))
asked = access_pb2.RequestAccessRequest(dataset="climate", purpose="advertising")
refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: access.RequestAccess(asked))
listed = objects.List(object_pb2.ListObjectsRequest(dataset="climate", page_size=1))
assert [it.key for it in listed.objects] == ["a.csv"] and listed.next_page_token
rest = objects.List(object_pb2.ListObjectsRequest(dataset="climate", page_token=listed.next_page_token))
assert [it.key for it in rest.objects] == ["b.bin"] and not rest.next_page_token
refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: objects.List(object_pb2.ListObjectsRequest(dataset="climate", page_size=5000)))
print("all seen")
