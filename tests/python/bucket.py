"""Makes a bucket with boto3, or lists what is in it and prints the first object's bytes' length and head."""

import sys

import boto3

what, endpoint = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="eu-west-3", aws_access_key_id="test", aws_secret_access_key="test")
if what == "make":
    s3.create_bucket(Bucket="octroi", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
else:
    for found in s3.list_objects_v2(Bucket="octroi").get("Contents", []):
        body = s3.get_object(Bucket="octroi", Key=found["Key"])["Body"].read()
        print(found["Key"], len(body), b"hour,counter" in body)
