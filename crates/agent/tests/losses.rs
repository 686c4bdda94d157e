//! Every loss that the probes count has its sentence for whoever reads the numbers.

use weir_schema::loss_meaning;

#[test]
fn every_loss_of_the_probes_has_a_meaning() {
    let unexplained: Vec<_> = weir_probes::loss_reasons()
        .filter(|(component, reason)| loss_meaning(component, reason).is_none())
        .collect();
    assert_eq!(unexplained, []);
}
