//! A forest whose roots are found quickly however deep it is: link-cut trees (Sleator and Tarjan, "A data structure for
//! dynamic trees", 1983). Without them, one message with two chains of references under it would make threading walk
//! one chain for each message of the other.

use super::{Column, NONE};

/// Nodes and their parents. Every step is logarithmic in the number of nodes, on the average.
#[derive(Clone, Debug)]
pub(super) struct Forest {
    /// The parent of each node as it was linked.
    parent: Column,
    /// How many children each node has.
    children: Vec<u32>,
    /// The nodes of each tree are divided into paths that lead down, and each path is a search tree ordered by depth,
    /// the upper nodes to the left. `above` of a search tree's root is the node that its path hangs under.
    above: Column,
    left: Column,
    right: Column,
}

impl Forest {
    /// So many nodes, each a root.
    pub(super) fn of(nodes: usize) -> Self {
        let none = || Column::of(nodes);
        Self { parent: none(), children: vec![0; nodes], above: none(), left: none(), right: none() }
    }

    /// The parent of a node, [`NONE`] of a root.
    pub(super) fn parent(&self, node: u32) -> u32 {
        self.parent.get(node)
    }

    /// Puts a root under a node, unless that node is the root itself or under it.
    pub(super) fn link(&mut self, root: u32, parent: u32) {
        if root == parent || (self.has_children(root) && self.root_of(parent) == root) {
            return;
        }
        self.access(root);
        self.access(parent);
        self.above.set(root, parent);
        self.parent.set(root, parent);
        self.add_children(parent, true);
    }

    /// Makes a node a root.
    pub(super) fn cut(&mut self, node: u32) {
        let parent = self.parent.get(node);
        if parent == NONE {
            return;
        }
        self.access(node);
        let upper = self.left.get(node);
        self.left.set(node, NONE);
        self.above.set(upper, NONE);
        self.parent.set(node, NONE);
        self.add_children(parent, false);
    }

    /// The root of the tree that a node is in.
    pub(super) fn root_of(&mut self, node: u32) -> u32 {
        self.access(node);
        let mut root = node;
        loop {
            let upper = self.left.get(root);
            if upper == NONE {
                break;
            }
            root = upper;
        }
        // What was walked must be paid for.
        self.splay(root);
        root
    }

    fn has_children(&self, node: u32) -> bool {
        usize::try_from(node).ok().and_then(|node| self.children.get(node)).is_some_and(|n| *n > 0)
    }

    fn add_children(&mut self, node: u32, one_more: bool) {
        if let Some(n) = usize::try_from(node).ok().and_then(|node| self.children.get_mut(node)) {
            *n = if one_more { n.saturating_add(1) } else { n.saturating_sub(1) };
        }
    }

    /// Makes the way from the tree's root down to a node one path, and the node the root of its search tree.
    fn access(&mut self, node: u32) {
        self.splay(node);
        self.right.set(node, NONE);
        loop {
            let hung = self.above.get(node);
            if hung == NONE {
                return;
            }
            self.splay(hung);
            self.right.set(hung, node);
            self.splay(node);
        }
    }

    fn is_left(&self, node: u32) -> bool {
        self.left.get(self.above.get(node)) == node
    }

    /// Whether a node is the root of its search tree: the one above it doesn't know it.
    fn is_top(&self, node: u32) -> bool {
        let above = self.above.get(node);
        above == NONE || (self.left.get(above) != node && self.right.get(above) != node)
    }

    /// Turns a node up to the root of its search tree.
    fn splay(&mut self, node: u32) {
        while !self.is_top(node) {
            let above = self.above.get(node);
            if !self.is_top(above) {
                let straight = self.is_left(node) == self.is_left(above);
                self.rotate(if straight { above } else { node });
            }
            self.rotate(node);
        }
    }

    /// Exchanges a node with the one above it.
    fn rotate(&mut self, node: u32) {
        let above = self.above.get(node);
        let highest = self.above.get(above);
        let above_is_top = self.is_top(above);
        let left = self.is_left(node);
        let (mine, theirs) = if left { (&mut self.right, &mut self.left) } else { (&mut self.left, &mut self.right) };
        let inner = mine.get(node);
        mine.set(node, above);
        theirs.set(above, inner);
        if inner != NONE {
            self.above.set(inner, above);
        }
        if !above_is_top {
            if self.left.get(highest) == above {
                self.left.set(highest, node);
            } else {
                self.right.set(highest, node);
            }
        }
        self.above.set(above, node);
        self.above.set(node, highest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn roots_are_what_walking_up_finds(steps in proptest::collection::vec((0_u32..12, 0_u32..12, any::<bool>()), 0..200)) {
            let mut forest = Forest::of(12);
            let mut parents = [NONE; 12];
            let root_of = |parents: &[u32; 12], mut node: u32| {
                while parents[node as usize] != NONE {
                    node = parents[node as usize];
                }
                node
            };
            for (node, parent, cut) in steps {
                if cut {
                    forest.cut(node);
                    parents[node as usize] = NONE;
                } else if parents[node as usize] == NONE {
                    forest.link(node, parent);
                    if root_of(&parents, parent) != node {
                        parents[node as usize] = parent;
                    }
                }
                for node in 0..12 {
                    prop_assert_eq!(forest.parent(node), parents[node as usize]);
                    prop_assert_eq!(forest.root_of(node), root_of(&parents, node));
                }
            }
        }
    }
}
