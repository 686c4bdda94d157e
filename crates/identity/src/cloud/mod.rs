//! In which cloud a host is, and where in it.
//!
//! Owns how a cloud is told by the host's firmware tables, what each cloud's metadata service is
//! asked, and what its answers mean. Does not own sockets and times: whoever calls gives a
//! [`MetadataService`].
//!
//! The firmware decides first, because it costs nothing: on a host that no cloud runs, nothing is
//! ever sent to the address that clouds answer at, which there may be anybody's.

mod dmi;
mod metadata;

pub use dmi::Dmi;
pub use metadata::{MetadataError, MetadataReply, MetadataRequest, MetadataService, Method};

/// A cloud whose metadata service is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cloud {
    Aws,
    Gcp,
    Azure,
    Alibaba,
    Tencent,
    Huawei,
    OpenStack,
}

impl Cloud {
    pub const ALL: [Cloud; 7] = [
        Cloud::Aws,
        Cloud::Gcp,
        Cloud::Azure,
        Cloud::Alibaba,
        Cloud::Tencent,
        Cloud::Huawei,
        Cloud::OpenStack,
    ];

    /// The word of `weir_model::Place::provider`.
    pub fn as_str(self) -> &'static str {
        match self {
            Cloud::Aws => "aws",
            Cloud::Gcp => "gcp",
            Cloud::Azure => "azure",
            Cloud::Alibaba => "alibaba",
            Cloud::Tencent => "tencent",
            Cloud::Huawei => "huawei",
            Cloud::OpenStack => "openstack",
        }
    }

    /// Where the metadata service is. Addresses, not names: no resolver is asked.
    pub fn service_url(self) -> &'static str {
        match self {
            Cloud::Alibaba => "http://100.100.100.200",
            // what metadata.tencentyun.com stands for
            Cloud::Tencent => "http://169.254.0.23",
            _ => "http://169.254.169.254",
        }
    }
}
