"""Health and reflection with grpcio, as an anonymous caller."""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from google.protobuf import message_factory
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from octroi.v1 import access_pb2, dataset_pb2, evidence_pb2, object_pb2, principal_pb2

port, ca = sys.argv[1:]
with open(ca, "rb") as file:
    channel = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(file.read()))
health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
assert health.status == health_pb2.HealthCheckResponse.SERVING
asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
answer = next(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(asked))
names = {service.name for service in answer.list_services_response.service}
wanted = {f"octroi.v1.{name}Service" for name in ["Dataset", "Principal", "Access", "Object", "Evidence"]}
assert wanted <= names, names
assert not any(name.startswith("octroi.keys") for name in names), names

# Strangers get nothing but what is everybody's: every method of every service, called with an empty request.
for module in (access_pb2, dataset_pb2, evidence_pb2, object_pb2, principal_pb2):
    for service in module.DESCRIPTOR.services_by_name.values():
        for method in service.methods:
            name = f"/{service.full_name}/{method.name}"
            call = channel.stream_stream(
                name,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=lambda body: body,
            )
            request = message_factory.GetMessageClass(method.input_type)()
            try:
                list(call(iter([request])))
                answered = grpc.StatusCode.OK
            except grpc.RpcError as error:
                answered = error.code()
            refusals = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT}
            if name in ("/octroi.v1.DatasetService/List", "/octroi.v1.PrincipalService/WhoAmI"):
                refusals = {grpc.StatusCode.OK}
            assert answered in refusals, (name, answered)
print("all seen")
