//! Which cloud a host's firmware tables (SMBIOS) name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Cloud;

/// Firmware writes a line of at most some tens of bytes.
const FILE_BYTES_MAX: u64 = 256;

/// What the firmware says of the host; what it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dmi {
    pub sys_vendor: String,
    pub product_name: String,
    pub chassis_asset_tag: String,
    pub bios_version: String,
}

impl Dmi {
    /// Reads `/sys/class/dmi/id`, or a folder with the same files.
    pub fn read(folder: &Path) -> Self {
        let line = |name: &str| {
            let mut bytes = Vec::new();
            let file = File::open(folder.join(name));
            // a file that is missing or not readable says nothing
            let _ = file.map(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).trim().to_owned()
        };
        Self {
            sys_vendor: line("sys_vendor"),
            product_name: line("product_name"),
            chassis_asset_tag: line("chassis_asset_tag"),
            bios_version: line("bios_version"),
        }
    }
}

/// Microsoft's own mark of Azure: Hyper-V elsewhere has the same vendor and product.
const AZURE_ASSET_TAG: &str = "7783-7084-3265-9085-8269-3286-77";
/// Products and marks of OpenStack clouds, as cloud-init knows them.
const OPENSTACK_MARKS: &[&str] =
    &["OpenStack Nova", "OpenStack Compute", "OpenTelekomCloud", "SAP CCloud VM"];

impl Cloud {
    /// The cloud that the firmware names, if it names one.
    pub fn of(dmi: &Dmi) -> Option<Self> {
        let vendor = dmi.sys_vendor.as_str();
        let product = dmi.product_name.as_str();
        let tag = dmi.chassis_asset_tag.as_str();
        // instances older than Nitro are Xen's, with Amazon's version of its firmware
        let is_amazon_xen = vendor == "Xen" && dmi.bios_version.contains("amazon");
        if vendor == "Amazon EC2" || is_amazon_xen {
            return Some(Cloud::Aws);
        }
        if product == "Google Compute Engine" {
            return Some(Cloud::Gcp);
        }
        if tag == AZURE_ASSET_TAG {
            return Some(Cloud::Azure);
        }
        if vendor == "Alibaba Cloud" || product == "Alibaba Cloud ECS" {
            return Some(Cloud::Alibaba);
        }
        if vendor == "Tencent Cloud" || product == "Tencent Cloud CVM" {
            return Some(Cloud::Tencent);
        }
        // before OpenStack, which Huawei's older instances say that they are, too
        if [vendor, product, tag].contains(&"HUAWEICLOUD") {
            return Some(Cloud::Huawei);
        }
        let is_openstack = [product, tag].iter().any(|text| OPENSTACK_MARKS.contains(text));
        is_openstack.then_some(Cloud::OpenStack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_names_the_cloud() {
        // sys_vendor, product_name, chassis_asset_tag, bios_version
        let cases = [
            (["Amazon EC2", "m5.large", "Amazon EC2", "1.0"], Some(Cloud::Aws)),
            (["Amazon EC2", "c5.metal", "Amazon EC2", "1.0"], Some(Cloud::Aws)),
            (["Xen", "HVM domU", "", "4.11.amazon"], Some(Cloud::Aws)),
            (["Xen", "HVM domU", "", "4.17"], None),
            (["Google", "Google Compute Engine", "", "Google"], Some(Cloud::Gcp)),
            (
                ["Microsoft Corporation", "Virtual Machine", AZURE_ASSET_TAG, "090008"],
                Some(Cloud::Azure),
            ),
            (["Microsoft Corporation", "Virtual Machine", "7783-0000", "Hyper-V"], None),
            (["Alibaba Cloud", "Alibaba Cloud ECS", "", "449e491"], Some(Cloud::Alibaba)),
            (["Tencent Cloud", "CVM", "", "seabios-1.9.1"], Some(Cloud::Tencent)),
            (["HUAWEICLOUD", "HUAWEICLOUD", "HUAWEICLOUD", "1.10.2"], Some(Cloud::Huawei)),
            (
                ["OpenStack Foundation", "OpenStack Nova", "HUAWEICLOUD", "1.10.2"],
                Some(Cloud::Huawei),
            ),
            (["OpenStack Foundation", "OpenStack Nova", "", "1.16.3"], Some(Cloud::OpenStack)),
            (["Red Hat", "OpenStack Compute", "", "0.5.1"], Some(Cloud::OpenStack)),
            (["Xen", "HVM domU", "OpenTelekomCloud", "4.1"], Some(Cloud::OpenStack)),
            (["Dell Inc.", "PowerEdge R750", "", "1.6.5"], None),
            (["Google", "Pixelbook", "", "x"], None),
            (["QEMU", "Standard PC (Q35 + ICH9, 2009)", "", "1.16.3"], None),
            (["", "", "", ""], None),
        ];
        for (texts, expected) in cases {
            let [sys_vendor, product_name, chassis_asset_tag, bios_version] =
                texts.map(str::to_owned);
            let dmi = Dmi { sys_vendor, product_name, chassis_asset_tag, bios_version };
            assert_eq!(Cloud::of(&dmi), expected, "{dmi:?}");
        }
    }

    #[test]
    fn files_are_read_as_far_as_they_are_there() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Dmi::read(folder.path()), Dmi::default());
        std::fs::write(folder.path().join("sys_vendor"), "Amazon EC2\n").expect("written");
        std::fs::write(folder.path().join("product_name"), [b'x'; 5000]).expect("written");
        let dmi = Dmi::read(folder.path());
        assert_eq!((dmi.sys_vendor.as_str(), dmi.product_name.len()), ("Amazon EC2", 256));
        assert_eq!(Dmi::read(Path::new("/nowhere")), Dmi::default());
    }
}
