//! What a metadata service is asked, and what its answers mean.
//!
//! Only what names the place is asked for where a service can be asked for it alone: some of them
//! also hold user data, keys and tokens.

use serde_json::Value;
use thiserror::Error;
use weir_model::Place;

use super::Cloud;

/// Longest value that is believed to be a name.
const VALUE_CHARS_MAX: usize = 128;
/// Lifetime of a token, the shortest that all of them allow: one conversation needs it.
const TOKEN_S: &str = "60";

/// How a service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Put,
}

/// One request to a service.
#[derive(Clone, Copy, Debug)]
pub struct MetadataRequest<'a> {
    pub method: Method,
    /// Path and query.
    pub target: &'a str,
    pub header: Option<(&'a str, &'a str)>,
}

/// An answer of whatever status.
#[derive(Clone, Debug, Default)]
pub struct MetadataReply {
    pub status: u16,
    /// The header `Metadata-Flavor`, by which Google's service says who it is.
    pub flavor: Option<String>,
    pub body: String,
}

/// Whoever carries requests to a service, in bounded time and with bounded answers.
pub trait MetadataService {
    /// The error says why there is no answer.
    fn call(&self, request: MetadataRequest<'_>) -> Result<MetadataReply, String>;
}

/// Why a place is not known.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MetadataError {
    #[error("{target}: no answer: {reason}")]
    NoAnswer { target: String, reason: String },
    #[error("{target}: status {status}")]
    Status { target: String, status: u16 },
    #[error("{target}: not what the service of this cloud answers")]
    NotUnderstood { target: String },
}

type Header<'a> = Option<(&'a str, &'a str)>;

impl Cloud {
    /// Asks the service where this host is. What it does not say is absent.
    pub fn place(self, service: &dyn MetadataService) -> Result<Place, MetadataError> {
        let place = match self {
            Cloud::Aws => aws(service),
            Cloud::Gcp => gcp(service),
            Cloud::Azure => azure(service),
            Cloud::Alibaba => alibaba(service),
            Cloud::Tencent => tencent(service),
            Cloud::Huawei => huawei(service),
            Cloud::OpenStack => openstack(service),
        };
        place.map(|place| Place { provider: Some(self.as_str().to_owned()), ..place })
    }
}

/// With a token (IMDSv2): without one is what instances are told to refuse.
fn aws(service: &dyn MetadataService) -> Result<Place, MetadataError> {
    let ttl = ("X-aws-ec2-metadata-token-ttl-seconds", TOKEN_S);
    let token = put(service, "/latest/api/token", ttl)?;
    let target = "/latest/dynamic/instance-identity/document";
    let document = document(service, target, Some(("X-aws-ec2-metadata-token", &token)))?;
    Ok(Place {
        provider: None,
        instance: text(&document, "instanceId"),
        instance_type: text(&document, "instanceType"),
        zone: text(&document, "availabilityZone"),
        region: text(&document, "region"),
    })
}

fn gcp(service: &dyn MetadataService) -> Result<Place, MetadataError> {
    const GOOGLE: Header<'_> = Some(("Metadata-Flavor", "Google"));
    let leaf = |target: &str| -> Result<Option<String>, MetadataError> {
        let Some(reply) = get_if_there(service, target, GOOGLE)? else { return Ok(None) };
        // its documentation asks that this is checked: others may answer at the same address
        if reply.flavor.as_deref() != Some("Google") {
            return Err(MetadataError::NotUnderstood { target: target.to_owned() });
        }
        // projects/123/zones/europe-west4-a
        Ok(name(reply.body.rsplit('/').next().unwrap_or_default()))
    };
    let zone = leaf("/computeMetadata/v1/instance/zone")?;
    Ok(Place {
        provider: None,
        instance: leaf("/computeMetadata/v1/instance/id")?,
        instance_type: leaf("/computeMetadata/v1/instance/machine-type")?,
        region: zone.as_deref().and_then(|zone| Some(zone.rsplit_once('-')?.0.to_owned())),
        zone,
    })
}

/// The version is one that tells the zone and neither custom nor user data.
fn azure(service: &dyn MetadataService) -> Result<Place, MetadataError> {
    let target = "/metadata/instance/compute?api-version=2018-10-01&format=json";
    let compute = document(service, target, Some(("Metadata", "true")))?;
    let region = text(&compute, "location");
    // a zone is a digit in its region; together they are what nodes are labelled with
    let zone = text(&compute, "zone");
    let zone = region.as_ref().zip(zone).map(|(region, zone)| format!("{region}-{zone}"));
    Ok(Place {
        provider: None,
        instance: text(&compute, "vmId"),
        instance_type: text(&compute, "vmSize"),
        zone,
        region,
    })
}

/// In the hardened mode, which every instance knows and some insist on.
fn alibaba(service: &dyn MetadataService) -> Result<Place, MetadataError> {
    let ttl = ("X-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_S);
    let token = put(service, "/latest/api/token", ttl)?;
    let target = "/latest/dynamic/instance-identity/document";
    let document = document(service, target, Some(("X-aliyun-ecs-metadata-token", &token)))?;
    Ok(Place {
        provider: None,
        instance: text(&document, "instance-id"),
        instance_type: text(&document, "instance-type"),
        zone: text(&document, "zone-id"),
        region: text(&document, "region-id"),
    })
}

fn tencent(service: &dyn MetadataService) -> Result<Place, MetadataError> {
    let leaf = |item: &str| -> Result<Option<String>, MetadataError> {
        let reply = get_if_there(service, &format!("/latest/meta-data/{item}"), None)?;
        Ok(reply.and_then(|reply| name(&reply.body)))
    };
    Ok(Place {
        provider: None,
        instance: leaf("instance-id")?,
        instance_type: leaf("instance/instance-type")?,
        zone: leaf("placement/zone")?,
        region: leaf("placement/region")?,
    })
}

const OPENSTACK_DOCUMENT: &str = "/openstack/latest/meta_data.json";
const EC2_INSTANCE_TYPE: &str = "/latest/meta-data/instance-type";

/// OpenStack's interface with Huawei's own fields; with a token where the instance insists.
fn huawei(service: &dyn MetadataService) -> Result<Place, MetadataError> {
    let plain = document(service, OPENSTACK_DOCUMENT, None);
    let Err(MetadataError::Status { status: 401 | 403, .. }) = plain else {
        return Ok(huawei_place(&plain?, service, None));
    };
    let ttl = ("X-Metadata-Token-Ttl-Seconds", TOKEN_S);
    let token = put(service, "/meta-data/latest/api/token", ttl)?;
    let header = Some(("X-Metadata-Token", token.as_str()));
    Ok(huawei_place(&document(service, OPENSTACK_DOCUMENT, header)?, service, header))
}

fn huawei_place(document: &Value, service: &dyn MetadataService, header: Header<'_>) -> Place {
    let region = text(document, "region_id");
    let said = text(document, "instance_type");
    let place = openstack_place(document, service, header, said);
    Place { region, ..place }
}

/// OpenStack says nothing of regions to its machines.
fn openstack(service: &dyn MetadataService) -> Result<Place, MetadataError> {
    let document = document(service, OPENSTACK_DOCUMENT, None)?;
    Ok(openstack_place(&document, service, None, None))
}

fn openstack_place(
    document: &Value,
    service: &dyn MetadataService,
    header: Header<'_>,
    said: Option<String>,
) -> Place {
    // only the interface that imitates EC2 tells the flavour, and an operator may leave it out
    let ask = || name(&get_if_there(service, EC2_INSTANCE_TYPE, header).ok()??.body);
    Place {
        provider: None,
        instance: text(document, "uuid"),
        instance_type: said.or_else(ask),
        zone: text(document, "availability_zone"),
        region: None,
    }
}

fn put(
    service: &dyn MetadataService,
    target: &str,
    header: (&str, &str),
) -> Result<String, MetadataError> {
    let request = MetadataRequest { method: Method::Put, target, header: Some(header) };
    let reply = call(service, request)?;
    let token = reply.body.trim();
    // it travels back in a header
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if reply.status != 200 {
        return Err(MetadataError::Status { target: target.to_owned(), status: reply.status });
    }
    if !is_token {
        return Err(MetadataError::NotUnderstood { target: target.to_owned() });
    }
    Ok(token.to_owned())
}

/// An answer, or nothing where the service has nothing of that name.
fn get_if_there(
    service: &dyn MetadataService,
    target: &str,
    header: Header<'_>,
) -> Result<Option<MetadataReply>, MetadataError> {
    let reply = call(service, MetadataRequest { method: Method::Get, target, header })?;
    match reply.status {
        200 => Ok(Some(reply)),
        404 => Ok(None),
        status => Err(MetadataError::Status { target: target.to_owned(), status }),
    }
}

/// A document that must be there.
fn document(
    service: &dyn MetadataService,
    target: &str,
    header: Header<'_>,
) -> Result<Value, MetadataError> {
    let reply = call(service, MetadataRequest { method: Method::Get, target, header })?;
    if reply.status != 200 {
        return Err(MetadataError::Status { target: target.to_owned(), status: reply.status });
    }
    let document: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let is_document = document.is_object();
    is_document
        .then_some(document)
        .ok_or(MetadataError::NotUnderstood { target: target.to_owned() })
}

fn call(
    service: &dyn MetadataService,
    request: MetadataRequest<'_>,
) -> Result<MetadataReply, MetadataError> {
    let target = request.target.to_owned();
    service.call(request).map_err(|reason| MetadataError::NoAnswer { target, reason })
}

fn text(document: &Value, key: &str) -> Option<String> {
    name(document.get(key)?.as_str()?)
}

/// What can be the name of a thing; it ends in tables and on pages.
fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let is_name = (1..=VALUE_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    is_name.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every request alike.
    struct Alike(MetadataReply);

    impl MetadataService for Alike {
        fn call(&self, _: MetadataRequest<'_>) -> Result<MetadataReply, String> {
            Ok(self.0.clone())
        }
    }

    fn alike(status: u16, body: &str) -> Alike {
        Alike(MetadataReply { status, flavor: None, body: body.to_owned() })
    }

    #[test]
    fn whoever_else_answers_there_is_not_believed() {
        let page = alike(200, "<html>the router's own page</html>");
        for cloud in Cloud::ALL {
            let Ok(place) = cloud.place(&page) else { continue };
            let named = [place.instance, place.instance_type, place.zone, place.region];
            // Tencent's answers are bare texts: there is no telling but that they are names
            assert_eq!(cloud, Cloud::Tencent, "{named:?}");
        }
        for cloud in Cloud::ALL {
            let err = cloud.place(&alike(503, "")).expect_err("not now");
            assert!(matches!(err, MetadataError::Status { status: 503, .. }), "{err}");
        }
        let err = Cloud::Aws.place(&alike(200, "two\r\nheaders")).expect_err("no token");
        assert!(matches!(err, MetadataError::NotUnderstood { .. }), "{err}");
    }

    #[test]
    fn values_that_are_no_names_are_absent() {
        for (given, expected) in [
            ("m5.large\n", Some("m5.large")),
            ("", None),
            (" \n", None),
            ("a\nb", None),
            ("\u{1b}[31m", None),
            ("zone\u{202e}", None),
        ] {
            assert_eq!(name(given).as_deref(), expected, "{given:?}");
        }
        assert_eq!(name(&"x".repeat(VALUE_CHARS_MAX)).map(|text| text.len()), Some(128));
        assert_eq!(name(&"x".repeat(VALUE_CHARS_MAX + 1)), None);
    }
}
